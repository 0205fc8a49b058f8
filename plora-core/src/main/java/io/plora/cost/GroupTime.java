package io.plora.cost;

/**
 * How long an iteration of a packed group takes.
 *
 * <p>Lower bounds of plans rely on three properties of its {@link #bound}: more work never takes less time; the time is convex in
 * the work, so that iterations take least when they are alike; and it has economies of scale, so that t times the work takes at
 * most t times as long, for t of at least 1.
 */
@FunctionalInterface
public interface GroupTime {

    /**
     * Seconds of one iteration.
     *
     * @param work what it has to do
     * @param degree devices that the group's base model is split over (tensor parallelism)
     */
    double seconds(GroupWork work, int degree);

    /** A time that this one never goes below, with the three properties. */
    default GroupTime bound() {
        return this;
    }
}
