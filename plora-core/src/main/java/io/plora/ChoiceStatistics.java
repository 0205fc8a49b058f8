package io.plora;

import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * Accuracy, F1 and Matthews correlation of choices. The standard error of accuracy p over n questions is the binomial
 * sqrt(p (1 - p) / n); those of F1 and Matthews correlation are the jackknife's (Efron and Stein 1981), which needs no random
 * numbers and, as all questions of one cell of the confusion matrix are alike, no more than one evaluation a cell.
 */
record ChoiceStatistics(Map<Metric, Double> values, Map<Metric, Double> standardErrors) {

    static ChoiceStatistics of(int[] predictions, int[] labels, int classes) {
        ConfusionMatrix matrix = ConfusionMatrix.of(predictions, labels, classes);
        double accuracy = matrix.accuracy();
        Map<Metric, Double> values =
                Map.of(Metric.ACCURACY, accuracy, Metric.F1, matrix.f1(), Metric.MATTHEWS, matrix.matthews());
        if (labels.length == 1) {
            return new ChoiceStatistics(values, Map.of());
        }
        Map<Metric, Double> errors = Map.of(
                Metric.ACCURACY, Math.sqrt(accuracy * (1 - accuracy) / labels.length),
                Metric.F1, jackknife(matrix, ConfusionMatrix::f1),
                Metric.MATTHEWS, jackknife(matrix, ConfusionMatrix::matthews));
        return new ChoiceStatistics(values, errors);
    }

    /** sqrt((n - 1) / n sum((t_i - mean(t))^2)), t_i the statistic without question i. */
    private static double jackknife(ConfusionMatrix matrix, ToDoubleFunction<ConfusionMatrix> statistic) {
        long[][] counts = matrix.counts();
        double[][] without = new double[counts.length][counts.length];
        double sum = 0;
        for (int label = 0; label < counts.length; label++) {
            for (int prediction = 0; prediction < counts.length; prediction++) {
                long count = counts[label][prediction];
                if (count > 0) {
                    without[label][prediction] = statistic.applyAsDouble(matrix.without(label, prediction));
                    sum += count * without[label][prediction];
                }
            }
        }
        long items = matrix.items();
        double mean = sum / items;
        double squares = 0;
        for (int label = 0; label < counts.length; label++) {
            for (int prediction = 0; prediction < counts.length; prediction++) {
                double difference = without[label][prediction] - mean;
                squares += counts[label][prediction] * difference * difference;
            }
        }
        return Math.sqrt(squares * (items - 1) / items);
    }
}
