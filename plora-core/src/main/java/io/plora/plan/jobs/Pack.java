package io.plora.plan.jobs;

import com.google.common.primitives.ImmutableIntArray;

/**
 * Members of a static job.
 *
 * @param counts how many of each kind
 * @param rank sum of their ranks
 * @param seconds T, how long the job takes
 */
public record Pack(ImmutableIntArray counts, long rank, double seconds) {

    static Pack of(ThroughputProblem problem, int[] counts) {
        return new Pack(ImmutableIntArray.copyOf(counts), problem.rank(counts), problem.seconds(counts));
    }

    /** Rank a second; 0 if it is empty. */
    public double throughput() {
        return isEmpty() ? 0 : rank / seconds;
    }

    /** Whether it has no member. */
    public boolean isEmpty() {
        return rank == 0;
    }
}
