package io.plora;

import com.google.common.collect.Maps;
import java.util.Locale;
import java.util.Map;

/**
 * What an adapter reached on validation data at one point of its training.
 *
 * @param epoch passes over the training data completed, from 1 after the first
 * @param samplesSeen training samples seen so far
 * @param items validation samples or questions that were evaluated
 * @param values what was measured; a value may be NaN, which ranks last
 * @param standardErrors of the values above; without an entry where one item is too few to tell
 */
public record Evaluation(
        int epoch, long samplesSeen, long items, Map<Metric, Double> values, Map<Metric, Double> standardErrors) {

    public Evaluation {
        if (epoch < 0 || samplesSeen < 0 || items < 1) {
            throw new IllegalArgumentException(
                    "An evaluation's epoch (%d) and samples seen (%d) must not be negative, and its items (%d) at least 1."
                            .formatted(epoch, samplesSeen, items));
        }
        if (!values.keySet().containsAll(standardErrors.keySet())) {
            throw new IllegalArgumentException("Standard errors (%s) without a value among (%s)."
                    .formatted(standardErrors.keySet(), values.keySet()));
        }
        values = Maps.immutableEnumMap(values);
        standardErrors = Maps.immutableEnumMap(standardErrors);
    }

    /**
     * Validation loss and perplexity, each with its standard error over samples, see {@link LossStatistics}.
     *
     * @param meanLosses for each sample the mean loss of its answer tokens, in nats
     * @param tokens for each sample how many answer tokens that mean is over, at least 1
     */
    public static Evaluation ofLosses(int epoch, long samplesSeen, double[] meanLosses, int[] tokens) {
        LossStatistics statistics = LossStatistics.of(meanLosses, tokens);
        return new Evaluation(epoch, samplesSeen, meanLosses.length, statistics.values(), statistics.standardErrors());
    }

    /**
     * Accuracy, F1 and Matthews correlation, each with its standard error over questions, see {@link ChoiceStatistics}.
     *
     * @param predictions for each question the class chosen, from 0
     * @param labels for each question the right class, from 0
     * @param classes number of classes of the task; of two, class 1 is the positive one
     */
    public static Evaluation ofChoices(int epoch, long samplesSeen, int[] predictions, int[] labels, int classes) {
        ChoiceStatistics statistics = ChoiceStatistics.of(predictions, labels, classes);
        return new Evaluation(epoch, samplesSeen, predictions.length, statistics.values(), statistics.standardErrors());
    }

    /** The metric's value, NaN if it was not measured. */
    public double value(Metric metric) {
        return values.getOrDefault(metric, Double.NaN);
    }

    /** The standard error of the metric's value, NaN if it is not known. */
    public double standardError(Metric metric) {
        return standardErrors.getOrDefault(metric, Double.NaN);
    }

    /** Such as {@code 1.2345 +- 0.0123}, without the second part where no standard error is known. */
    public String text(Metric metric) {
        double error = standardError(metric);
        return Double.isNaN(error)
                ? String.format(Locale.ROOT, "%.4f", value(metric))
                : String.format(Locale.ROOT, "%.4f +- %.4f", value(metric), error);
    }
}
