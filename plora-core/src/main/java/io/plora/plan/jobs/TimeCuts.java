package io.plora.plan.jobs;

import io.plora.cost.GroupWork;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Tangents of a time model: affine functions of an iteration's work that stay below it, if it is convex. A sum of maxima of
 * operations over rate and bytes over bandwidth is.
 *
 * <p>Slopes are central differences. Where the model is not convex, a tangent is lowered to pass below all points that were
 * ever asked for, so that it is wrong at most elsewhere.
 */
final class TimeCuts {
    /** Relative width of differences: rounding and the model's kinks are both far from it. */
    private static final double WIDTH = 1e-5;

    private final ToDoubleFunction<GroupWork> seconds;
    private final List<Point> points = new ArrayList<>();
    private final List<Cut> cuts = new ArrayList<>();

    TimeCuts(ToDoubleFunction<GroupWork> seconds) {
        this.seconds = seconds;
    }

    /** {@code seconds(work) >= constant + slope . work} wherever there is work. */
    record Cut(double constant, GroupWork slope) {
        double slopeTimes(GroupWork work) {
            return slope.dot(work);
        }

        double at(GroupWork work) {
            return constant + slopeTimes(work);
        }
    }

    private record Point(GroupWork work, double seconds) {}

    List<Cut> cuts() {
        return cuts;
    }

    /** Adds the tangent at a point, unless one there is already as high; whether it did. */
    boolean addAt(GroupWork work) {
        Point point = new Point(work, seconds.applyAsDouble(work));
        points.add(point);
        cuts.replaceAll(cut -> lowered(cut, point));
        if (cuts.stream().anyMatch(cut -> cut.at(work) >= point.seconds() * (1 - WIDTH * WIDTH))) {
            return false;
        }
        GroupWork slope = slope(work);
        Cut cut = new Cut(point.seconds() - slope.dot(work), slope);
        for (Point known : points) {
            cut = lowered(cut, known);
        }
        return cuts.add(cut);
    }

    private static Cut lowered(Cut cut, Point point) {
        double excess = cut.at(point.work()) - point.seconds();
        return excess > 0 ? new Cut(cut.constant() - excess, cut.slope()) : cut;
    }

    private GroupWork slope(GroupWork work) {
        double[] at = work.toArray();
        double[] slope = new double[at.length];
        for (int i = 0; i < at.length; i++) {
            if (at[i] > 0) {
                double[] moved = at.clone();
                double width = at[i] * WIDTH;
                moved[i] = at[i] + width;
                double above = seconds.applyAsDouble(GroupWork.fromArray(moved));
                moved[i] = at[i] - width;
                slope[i] = (above - seconds.applyAsDouble(GroupWork.fromArray(moved))) / (2 * width);
            }
        }
        return GroupWork.fromArray(slope);
    }
}
