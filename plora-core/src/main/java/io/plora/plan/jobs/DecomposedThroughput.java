package io.plora.plan.jobs;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.ImmutableIntArray;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * PLoRA's algorithm 1, decomposed throughput maximisation (DTM): which jobs to start on free devices. It tries every number of
 * devices for one job, solves F(d, K) for its members, goes on with the devices and trials that are left, and keeps the
 * candidate with the smallest makespan: its longest job or, if that is later, when all trials would be done at the candidate's
 * rank a second.
 */
final class DecomposedThroughput {
    /** A later candidate must be better by more than rounding. */
    private static final double LEAST_GAIN = 1 - 1e-9;

    private final Workload workload;
    private final Map<Integer, List<Answer>> solved = new HashMap<>();
    private final Map<Choice, Candidate> chosen = new HashMap<>();

    DecomposedThroughput(Workload workload) {
        this.workload = workload;
    }

    private record Choice(int free, ImmutableIntArray waiting) {}

    private record Answer(ImmutableIntArray waiting, Pack pack) {

        /** Whether the pack is the best of fewer trials, too: it is there, and it is the best of more. */
        boolean answers(ImmutableIntArray fewer) {
            return IntStream.range(0, fewer.length())
                    .allMatch(kind -> fewer.get(kind) <= waiting.get(kind)
                            && pack.counts().get(kind) <= fewer.get(kind));
        }
    }

    /**
     * @param devices of the job
     * @param pack its members
     */
    record Job(int devices, Pack pack) {}

    private record Candidate(List<Job> jobs, double makespan) {}

    /** Jobs to start now; none if no trial fits on the free devices. */
    List<Job> jobs(int free, ImmutableIntArray waiting) {
        return candidate(new Choice(free, waiting)).jobs();
    }

    private Candidate candidate(Choice choice) {
        Candidate known = chosen.get(choice);
        if (known == null) {
            known = decide(choice);
            chosen.put(choice, known);
        }
        return known;
    }

    private Candidate decide(Choice choice) {
        Candidate best = new Candidate(List.of(), Double.POSITIVE_INFINITY);
        for (Workload.Degree degree : workload.degrees()) {
            if (degree.devices() <= choice.free()) {
                Candidate candidate = startingWith(degree, choice);
                if (candidate != null && candidate.makespan() < best.makespan() * LEAST_GAIN) {
                    best = candidate;
                }
            }
        }
        return best;
    }

    private @Nullable Candidate startingWith(Workload.Degree degree, Choice choice) {
        Pack pack = solve(degree, choice.waiting());
        if (pack.isEmpty()) {
            return null;
        }
        Choice rest = new Choice(choice.free() - degree.devices(), less(choice.waiting(), pack.counts()));
        List<Job> jobs = ImmutableList.<Job>builder()
                .add(new Job(degree.devices(), pack))
                .addAll(candidate(rest).jobs())
                .build();
        return new Candidate(jobs, makespan(jobs, workload.problem(degree, choice.waiting())));
    }

    private static double makespan(List<Job> jobs, ThroughputProblem all) {
        double throughput =
                jobs.stream().mapToDouble(job -> job.pack().throughput()).sum();
        double longest =
                jobs.stream().mapToDouble(job -> job.pack().seconds()).max().orElseThrow();
        return Math.max(longest, all.rank(all.available().toArray()) / throughput);
    }

    private Pack solve(Workload.Degree degree, ImmutableIntArray waiting) {
        List<Answer> before = solved.computeIfAbsent(degree.devices(), devices -> new ArrayList<>());
        for (Answer answer : before) {
            if (answer.answers(waiting)) {
                return answer.pack();
            }
        }
        Pack pack = PackSolver.solve(workload.problem(degree, waiting)).pack();
        before.add(new Answer(waiting, pack));
        return pack;
    }

    static ImmutableIntArray less(ImmutableIntArray counts, ImmutableIntArray taken) {
        return ImmutableIntArray.copyOf(
                IntStream.range(0, counts.length()).map(kind -> counts.get(kind) - taken.get(kind)));
    }
}
