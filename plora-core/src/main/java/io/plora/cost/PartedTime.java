package io.plora.cost;

/**
 * A predicted time of parts, the larger of the device's sum and the host's, each of which a {@link Calibration} corrects by a
 * factor of its own.
 */
public interface PartedTime extends EngineTime {

    /** What the seconds of a training iteration are spent on. */
    IterationParts parts(GroupWork work, int degree);

    /** What the seconds of a forward pass are spent on. */
    IterationParts evaluationParts(GroupWork work, int degree);

    /** By how much proportions of the parts may be wrong: standard deviation of a part's factor around that of all parts. */
    double uncertainty();

    /**
     * By how much all of it may be wrong: standard deviation around 1 of the factor of all parts. Hardly anything is known of most
     * machines.
     */
    default double machineUncertainty() {
        return 0.6;
    }

    @Override
    default double seconds(GroupWork work, int degree) {
        return parts(work, degree).seconds();
    }

    @Override
    default double evaluationSeconds(GroupWork work, int degree) {
        return evaluationParts(work, degree).seconds();
    }

    @Override
    default PartedTime bound() {
        return this;
    }
}
