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
        double[] at = work.toArray();
        double[] slope = new double[at.length];
        double intercept = seconds;
        for (int i = 0; i < at.length; i++) {
            double step = at[i] == 0 ? 1 : -STEP * at[i];
            double[] beside = at.clone();
            beside[i] += step;
            slope[i] = (time.seconds(GroupWork.fromArray(beside), degree) - seconds) / step;
            intercept -= slope[i] * at[i];
        }
        return new Tangent(intercept, GroupWork.fromArray(slope));
    }

    /** A plane beside this one. */
    Tangent plus(double seconds) {
        return new Tangent(intercept + seconds, slope);
    }
}
