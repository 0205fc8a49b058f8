package io.plora.plan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.data.Percentage.withPercentage;

import io.plora.plan.jobs.Workload.Degree;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OptimalScheduleTest {

    private static Workload random(Random random, int trials, long memory) {
        List<Degree> degrees =
                List.of(new Degree(1, memory, new ArrayList<>()), new Degree(2, memory, new ArrayList<>()));
        List<MemberKind> alone = new ArrayList<>();
        List<MemberKind> shared = new ArrayList<>();
        for (int trial = 0; trial < trials; trial++) {
            MemberKind kind = PackSolverTest.kind(8 << random.nextInt(5), 1 << random.nextInt(6), 7473, 256);
            alone.add(kind);
            shared.add(new MemberKind(kind.rank(), kind.iterations(), kind.work(), kind.bytes() / 2, kind.tokens()));
        }
        return new Workload(
                List.of(new Degree(1, memory, alone), new Degree(2, memory, shared)), 100_000, PackSolverTest.ROOFLINE);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7})
    void noScheduleIsShorterThanTheOptimal(int seed) {
        Random random = new Random(seed);
        int trials = 4 + random.nextInt(3);
        Workload workload = random(random, trials, 2700 + random.nextInt(2000));
        JobSchedule planned = JobPlanner.plan(workload, JobPlannerTest.each(trials, 1), 1 + random.nextInt(3));

        JobSchedule best = OptimalSchedule.plan(workload, planned);

        assertThat(best.makespan()).isBetween(best.evenSeconds(), planned.makespan() * (1 + 1e-3));
        for (int trial = 0; trial < trials; trial++) {
            int index = trial;
            assertThat(best.jobs())
                    .filteredOn(job -> job.pack().counts().get(index) == 1)
                    .hasSize(1);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void agreesWithTryingAllPartitions(int seed) {
        Random random = new Random(seed);
        Workload both = random(random, 5, 2700 + random.nextInt(2000));
        Workload workload = new Workload(both.degrees().subList(0, 1), both.tokenBudget(), both.time());
        JobSchedule planned = JobPlanner.plan(workload, JobPlannerTest.each(5, 1), 2);

        double shortest =
                shortest(workload.problem(workload.degrees().get(0), JobPlannerTest.each(5, 1)), 0, new ArrayList<>());

        assertThat(OptimalSchedule.plan(workload, planned).makespan()).isCloseTo(shortest, withPercentage(0.1));
    }

    /** Puts the next trial into every job so far and into a new one; in the end, spreads the jobs over two devices. */
    private static double shortest(ThroughputProblem problem, int trial, List<int[]> jobs) {
        if (trial == 5) {
            double shortest = Double.POSITIVE_INFINITY;
            for (int first = 0; first < 1 << jobs.size(); first++) {
                double[] busy = new double[2];
                for (int job = 0; job < jobs.size(); job++) {
                    busy[first >> job & 1] += problem.seconds(jobs.get(job));
                }
                shortest = Math.min(shortest, Math.max(busy[0], busy[1]));
            }
            return shortest;
        }
        jobs.add(new int[5]);
        double shortest = Double.POSITIVE_INFINITY;
        for (int[] job : List.copyOf(jobs)) {
            job[trial] = 1;
            if (problem.admits(job)) {
                shortest = Math.min(shortest, shortest(problem, trial + 1, jobs));
            }
            job[trial] = 0;
        }
        jobs.remove(jobs.size() - 1);
        return shortest;
    }

    @Test
    void manyTrialsAreRefused() {
        Workload workload = random(new Random(1), 11, 10_000);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> OptimalSchedule.plan(workload, new JobSchedule(List.of(), 1)))
                .withMessageContaining("Trials (11) are more than the exact scheduler takes (10)");
    }
}
