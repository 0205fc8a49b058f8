package io.plora.plan.jobs;

import com.google.common.primitives.ImmutableIntArray;

/**
 * Members of a static job.
 *
 * @param counts how many of each kind
 * @param rank sum of their ranks
 * @param seconds T, how long the job takes
 * @param bound rank a second that no pack exceeds, see {@link PackSolver}
 */
public record Pack(ImmutableIntArray counts, long rank, double seconds, double bound) {

    /** Rank a second; 0 if it is empty. */
    public double throughput() {
        return isEmpty() ? 0 : rank / seconds;
    }

    /** Whether memory holds no member at all. */
    public boolean isEmpty() {
        return rank == 0;
    }
}
