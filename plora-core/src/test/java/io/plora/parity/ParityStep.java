package io.plora.parity;

/**
 * What PEFT computed in one optimizer step.
 *
 * @param loss mean over the answer tokens of the batch
 * @param gradientNorm of A and B together, before clipping
 * @param learningRate of A
 * @param projections {@link ParityNumbers#project} of the gradient before clipping, A and B in the order of PEFT keys
 */
public record ParityStep(double loss, double gradientNorm, double learningRate, double[] projections) {

    /** Estimate of |gradient - PEFT's| / |PEFT's|, within a tenth of the true value as a rule. */
    double gradientError(double[] others) {
        double squares = 0;
        for (int k = 0; k < projections.length; k++) {
            double difference = others[k] - projections[k];
            squares += difference * difference;
        }
        return Math.sqrt(squares / projections.length) / gradientNorm;
    }
}
