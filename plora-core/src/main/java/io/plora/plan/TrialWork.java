package io.plora.plan;

import io.plora.cost.GroupWork;

/**
 * What a trial has still to do, however it is packed.
 *
 * @param tokens of the samples that it lacks
 * @param samples that it lacks
 * @param pairs of a query and a key
 * @param steps optimizer steps
 */
record TrialWork(TrialState trial, double tokens, double samples, double pairs, double steps) {

    static TrialWork left(TrialState trial) {
        EpochLengths lengths = trial.epochLengths();
        int from = trial.position();
        boolean whole = from == 0;
        double later = laterEpochs(trial);
        return new TrialWork(
                trial,
                (whole ? lengths.tokens() : lengths.tokens(from, lengths.samples())) + later * lengths.tokens(),
                trial.samplesLeft(),
                (whole ? lengths.pairs() : lengths.pairs(from, lengths.samples())) + later * lengths.pairs(),
                trial.stepsLeft());
    }

    private static long laterEpochs(TrialState trial) {
        return (trial.samplesLeft() - 1) / trial.epochLengths().samples();
    }

    /** Steps of which it lacks a whole batch. */
    double wholeSteps() {
        int batch = trial.config().batchSize();
        int begun = (trial.position() + batch - 1) / batch * batch;
        return wholeStepsOfLaterEpochs() + Math.max(0, trial.epochLengths().samples() - begun) / batch;
    }

    private double wholeStepsOfLaterEpochs() {
        return laterEpochs(trial)
                * (trial.epochLengths().samples() / trial.config().batchSize());
    }

    /**
     * As the sum over all iterations that the trial takes part in.
     *
     * @param iterations how many those are
     */
    GroupWork in(double iterations) {
        return GroupWork.of(trial.parameters(), tokens, samples, pairs, steps).plus(participation(iterations - 1));
    }

    private GroupWork participation(double iterations) {
        return new GroupWork(0, 0, 0, iterations, iterations * trial.parameters(), 0, 0);
    }
}
