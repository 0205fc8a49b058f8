package io.plora.plan;

import io.plora.cost.GroupTime;
import io.plora.cost.GroupWork;

/**
 * The plane that touches the time of an iteration at some work. Where the time is convex in the work, no iteration takes less
 * than the plane says.
 *
 * @param intercept what the plane says of an iteration without any work
 * @param slope seconds for a unit of each kind of work
 */
record Tangent(double intercept, GroupWork slope) {
    private static final double STEP = 1e-5;

    static Tangent at(GroupWork work, GroupTime time, int degree) {
        double seconds = time.seconds(work, degree);
        double[] at = toArray(work);
        double[] slope = new double[at.length];
        double intercept = seconds;
        for (int i = 0; i < at.length; i++) {
            double step = at[i] == 0 ? 1 : -STEP * at[i];
            double[] beside = at.clone();
            beside[i] += step;
            slope[i] = (time.seconds(fromArray(beside), degree) - seconds) / step;
            intercept -= slope[i] * at[i];
        }
        return new Tangent(intercept, fromArray(slope));
    }

    /** Seconds for work at so many seconds for a unit of each kind. */
    static double seconds(GroupWork slope, GroupWork work) {
        double[] each = toArray(slope);
        double[] units = toArray(work);
        double seconds = 0;
        for (int i = 0; i < each.length; i++) {
            seconds += units[i] == 0 ? 0 : each[i] * units[i];
        }
        return seconds;
    }

    private static double[] toArray(GroupWork work) {
        return new double[] {
            work.tokens(),
            work.sequences(),
            work.attentionPairs(),
            work.adapters(),
            work.lowRankParameters(),
            work.lowRankOperations(),
            work.steppedParameters()
        };
    }

    private static GroupWork fromArray(double[] work) {
        return new GroupWork(work[0], work[1], work[2], work[3], work[4], work[5], work[6]);
    }
}
