package io.plora.cost;

/** How long an iteration of a packed group takes. */
@FunctionalInterface
public interface GroupTime {

    /**
     * Seconds of one iteration.
     *
     * @param work what it has to do
     * @param degree devices that the group's base model is split over (tensor parallelism)
     */
    double seconds(GroupWork work, int degree);
}
