package io.plora;

import java.util.Map;

/**
 * Mean loss of a token from the losses of samples. Tokens of one sample are not independent, so errors are taken over
 * samples: the mean is a ratio of two sums over samples, R = sum(y) / sum(n), y a sample's summed loss and n its tokens, and
 * its standard error that of the ratio estimator (Cochran 1977, 6.4), sqrt(m / (m - 1) sum((y - R n)^2)) / sum(n) for m
 * samples. Perplexity is exp(R), its error by the delta method exp(R) times that of R.
 */
record LossStatistics(Map<Metric, Double> values, Map<Metric, Double> standardErrors) {

    static LossStatistics of(double[] meanLosses, int[] tokens) {
        check(meanLosses, tokens);
        int samples = meanLosses.length;
        double lossSum = 0;
        double tokenSum = 0;
        for (int i = 0; i < samples; i++) {
            lossSum += meanLosses[i] * tokens[i];
            tokenSum += tokens[i];
        }
        double loss = lossSum / tokenSum;
        double perplexity = Math.exp(loss);
        Map<Metric, Double> values = Map.of(Metric.VALIDATION_LOSS, loss, Metric.PERPLEXITY, perplexity);
        if (samples == 1) {
            return new LossStatistics(values, Map.of());
        }
        double squares = 0;
        for (int i = 0; i < samples; i++) {
            double residual = (meanLosses[i] - loss) * tokens[i];
            squares += residual * residual;
        }
        double error = Math.sqrt(squares * samples / (samples - 1)) / tokenSum;
        return new LossStatistics(values, Map.of(Metric.VALIDATION_LOSS, error, Metric.PERPLEXITY, perplexity * error));
    }

    private static void check(double[] meanLosses, int[] tokens) {
        if (meanLosses.length == 0 || meanLosses.length != tokens.length) {
            throw new IllegalArgumentException(
                    "Losses of (%d) samples with token counts of (%d): there must be at least one, and as many of both."
                            .formatted(meanLosses.length, tokens.length));
        }
        for (int i = 0; i < tokens.length; i++) {
            if (tokens[i] < 1) {
                throw new IllegalArgumentException(
                        "Validation sample (%d) has (%d) answer tokens. Maybe leave out samples without an answer."
                                .formatted(i, tokens[i]));
            }
        }
    }
}
