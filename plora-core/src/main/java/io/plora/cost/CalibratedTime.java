package io.plora.cost;

/** A predicted time with its corrections; the constant counts for an evaluation too. */
record CalibratedTime(PartedTime prior, Calibration calibration) implements EngineTime {

    @Override
    public double seconds(GroupWork work, int degree) {
        return calibration.seconds(prior.parts(work, degree));
    }

    @Override
    public double evaluationSeconds(GroupWork work, int degree) {
        return calibration.seconds(prior.evaluationParts(work, degree));
    }

    @Override
    public EngineTime bound() {
        return new CalibratedTime(prior.bound(), calibration);
    }
}
