package io.plora.cost;

/**
 * An iteration that ran.
 *
 * @param work what it had to do
 * @param degree devices of the group
 * @param seconds that it took
 */
public record MeasuredIteration(GroupWork work, int degree, double seconds) {

    public MeasuredIteration {
        if (!(seconds > 0 && Double.isFinite(seconds))) {
            throw new IllegalArgumentException("Measured seconds (%s) must be positive.".formatted(seconds));
        }
    }
}
