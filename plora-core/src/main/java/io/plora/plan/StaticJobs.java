package io.plora.plan;

import io.plora.cost.GroupMemory;
import io.plora.cost.GroupTime;
import io.plora.cost.GroupWork;
import io.plora.plan.JobChoice.StartedJob;
import io.plora.plan.jobs.MemberKind;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;

/**
 * What trials cost as members of static jobs. In each iteration of a job a member takes its share: its whole batch, or where
 * that does not fit even alone the largest part that does, so that the batch is accumulated.
 *
 * <p>A share's tokens are those of so many mean samples, plus four standard deviations where lengths differ; should the samples of
 * an iteration be longer still, its members take fewer of them.
 */
final class StaticJobs {
    private static final double DEVIATIONS = 4;

    private final SweepState state;
    private final GroupMemory memory;
    private final GroupTime time;

    /** @param time of a job's iterations */
    StaticJobs(SweepState state, GroupTime time) {
        this.state = state;
        this.time = time;
        memory = state.memory();
    }

    SweepState state() {
        return state;
    }

    GroupTime time() {
        return time;
    }

    /**
     * Checks that every waiting trial fits alone on some number of devices, with the longest sample.
     *
     * @throws IllegalArgumentException naming the first that does not, what it needs and what there is
     */
    void requireEachFits() {
        DegreeChoice degrees = state.degrees();
        state.waiting().forEach(degrees::least);
    }

    /** Whether a trial can run alone on a number of devices. */
    boolean fits(TrialState trial, int degree, long memoryLimit) {
        return bytes(trial, degree, state.longestSample()) <= memoryLimit;
    }

    private long bytes(TrialState trial, int degree, long tokens) {
        return memory.baseBytes(degree)
                + memory.adapterBytes(trial.config(), degree)
                + tokens * memory.tokenBytes(trial.config(), degree);
    }

    /** Samples that a trial takes in each iteration of a job. */
    int share(TrialState trial, int degree, long memoryLimit) {
        int share = trial.config().batchSize();
        while (share > 1
                && (tokens(share) > state.tokenBudget() || bytes(trial, degree, tokens(share)) > memoryLimit)) {
            share--;
        }
        return share;
    }

    private long tokens(int share) {
        double likely = share * state.meanTokens() + DEVIATIONS * state.deviation() * Math.sqrt(share);
        return (long) Math.ceil(Math.min(likely, (double) share * state.longestSample()));
    }

    /** A trial as the member of a job; one that does not fit holds more than there is. */
    MemberKind member(TrialState trial, int degree, long memoryLimit) {
        int share = share(trial, degree, memoryLimit);
        TrialWork left = TrialWork.left(trial);
        long iterations = iterations(trial, share);
        GroupWork mean = GroupWork.of(
                trial.parameters(),
                left.tokens() / iterations,
                left.samples() / iterations,
                left.pairs() / iterations,
                left.steps() / iterations);
        long tokens = Math.max(tokens(share), state.longestSample());
        return new MemberKind(
                trial.config().rank(),
                iterations,
                mean,
                bytes(trial, degree, tokens) - memory.baseBytes(degree),
                Math.min(tokens, state.tokenBudget()));
    }

    private static long iterations(TrialState trial, int share) {
        int samples = trial.epochLengths().samples();
        long laterEpochs = (trial.samplesLeft() - 1) / samples;
        int epoch = new MicroBatches(0, samples, trial.config().batchSize(), share).iterations();
        return trial.iterationsLeftInEpoch(share) + laterEpochs * epoch;
    }

    /** Orders jobs of one trial, the longest first, then by index. */
    Comparator<StartedJob> longestFirst(long memoryLimit) {
        Map<StartedJob, Double> seconds = new HashMap<>();
        return Comparator.comparingDouble((StartedJob job) -> -seconds.computeIfAbsent(
                        job, alone -> secondsAlone(alone.members().get(0), alone.degree(), memoryLimit)))
                .thenComparingInt(job -> job.members().get(0).index());
    }

    private double secondsAlone(TrialState trial, int degree, long memoryLimit) {
        MemberKind alone = member(trial, degree, memoryLimit);
        return alone.iterations() * time.seconds(alone.work(), degree);
    }
}
