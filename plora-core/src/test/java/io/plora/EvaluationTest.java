package io.plora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class EvaluationTest {
    private static final Offset<Double> ROUNDING = within(1e-12);

    @Test
    void lossIsWeightedByTokens() {
        Evaluation evaluation = Evaluation.ofLosses(2, 30, new double[] {1, 2, 4}, new int[] {1, 2, 1});

        assertThat(evaluation.epoch()).isEqualTo(2);
        assertThat(evaluation.samplesSeen()).isEqualTo(30);
        assertThat(evaluation.items()).isEqualTo(3);
        assertThat(evaluation.value(Metric.VALIDATION_LOSS)).isEqualTo(9.0 / 4);
        // residuals -1.25, -0.5 and 1.75: squares add up to 4.875, times 3/2
        assertThat(evaluation.standardError(Metric.VALIDATION_LOSS)).isCloseTo(Math.sqrt(7.3125) / 4, ROUNDING);
    }

    @Test
    void perplexityIsTheExponentialOfTheLossWithAnErrorByTheDeltaMethod() {
        Evaluation evaluation = Evaluation.ofLosses(1, 3, new double[] {1, 2, 4}, new int[] {1, 2, 1});

        assertThat(evaluation.value(Metric.PERPLEXITY)).isCloseTo(Math.exp(2.25), ROUNDING);
        assertThat(evaluation.standardError(Metric.PERPLEXITY))
                .isCloseTo(Math.exp(2.25) * Math.sqrt(7.3125) / 4, ROUNDING);
    }

    @Test
    void errorOfTheLossIsThatOfAMeanWhenSamplesAreEquallyLong() {
        double[] losses = new Random(1).doubles(40, 0.5, 3).toArray();
        int[] tokens = new int[40];
        Arrays.fill(tokens, 17);
        double mean = Arrays.stream(losses).average().orElseThrow();
        double variance =
                Arrays.stream(losses).map(loss -> (loss - mean) * (loss - mean)).sum() / 39;

        assertThat(Evaluation.ofLosses(1, 40, losses, tokens).standardError(Metric.VALIDATION_LOSS))
                .isCloseTo(Math.sqrt(variance / 40), ROUNDING);
    }

    @Test
    void errorOfTheLossIsItsSpreadOverRepeatedDraws() {
        Random random = new Random(2);
        double[] losses = new double[3000];
        double[] errors = new double[losses.length];
        for (int i = 0; i < losses.length; i++) {
            int[] tokens = random.ints(50, 5, 100).toArray();
            double[] samples = Arrays.stream(tokens)
                    .mapToDouble(n -> 2 - n / 100.0 + 0.5 * random.nextGaussian())
                    .toArray();
            Evaluation evaluation = Evaluation.ofLosses(1, 50, samples, tokens);
            losses[i] = evaluation.value(Metric.VALIDATION_LOSS);
            errors[i] = evaluation.standardError(Metric.VALIDATION_LOSS);
        }

        double ratio = Arrays.stream(errors).average().orElseThrow() / deviation(losses);
        assertThat(ratio).isBetween(0.93, 1.07);
    }

    @Test
    void oneSampleHasNoStandardError() {
        Evaluation evaluation = Evaluation.ofLosses(1, 8, new double[] {1.5}, new int[] {4});

        assertThat(evaluation.standardErrors()).isEmpty();
        assertThat(evaluation.standardError(Metric.VALIDATION_LOSS)).isNaN();
        assertThat(evaluation.text(Metric.VALIDATION_LOSS)).isEqualTo("1.5000");
    }

    @Test
    void aLossThatIsNotANumberMakesTheMeanNotANumber() {
        Evaluation evaluation = Evaluation.ofLosses(1, 8, new double[] {1.5, Double.NaN}, new int[] {4, 2});

        assertThat(evaluation.value(Metric.VALIDATION_LOSS)).isNaN();
        assertThat(evaluation.value(Metric.PERPLEXITY)).isNaN();
    }

    @Test
    void refusesSamplesWithoutTokens() {
        assertThatThrownBy(() -> Evaluation.ofLosses(1, 8, new double[] {1, 2}, new int[] {4, 0}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("sample (1) has (0) answer tokens")
                .hasMessageContaining("Maybe");
    }

    @Test
    void refusesNoSamplesAndCountsThatDoNotMatch() {
        assertThatThrownBy(() -> Evaluation.ofLosses(1, 8, new double[0], new int[0]))
                .hasMessageContaining("(0) samples");
        assertThatThrownBy(() -> Evaluation.ofLosses(1, 8, new double[3], new int[2]))
                .hasMessageContaining("(3) samples with token counts of (2)");
    }

    @Test
    void scoresChoicesOfTwoClasses() {
        // TP 3, FP 1, FN 2, TN 4
        int[] labels = {1, 1, 1, 0, 1, 1, 0, 0, 0, 0};
        int[] predictions = {1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
        Evaluation evaluation = Evaluation.ofChoices(1, 5, predictions, labels, 2);

        assertThat(evaluation.items()).isEqualTo(10);
        assertThat(evaluation.value(Metric.ACCURACY)).isEqualTo(0.7);
        assertThat(evaluation.standardError(Metric.ACCURACY)).isCloseTo(Math.sqrt(0.7 * 0.3 / 10), ROUNDING);
        assertThat(evaluation.value(Metric.F1)).isCloseTo(2.0 / 3, ROUNDING);
        assertThat(evaluation.value(Metric.MATTHEWS)).isCloseTo(10 / Math.sqrt(600), ROUNDING);
    }

    @Test
    void scoresChoicesOfMoreClasses() {
        int[] labels = {2, 0, 2, 2, 0, 1};
        int[] predictions = {0, 0, 2, 2, 0, 1};
        Evaluation evaluation = Evaluation.ofChoices(1, 5, predictions, labels, 3);

        assertThat(evaluation.value(Metric.ACCURACY)).isCloseTo(5.0 / 6, ROUNDING);
        assertThat(evaluation.value(Metric.F1)).isCloseTo((0.8 + 1 + 0.8) / 3, ROUNDING);
        assertThat(evaluation.value(Metric.MATTHEWS)).isCloseTo(17.0 / 22, ROUNDING);
    }

    @Test
    void matthewsOfTwoClassesIsTheCorrelationOfLabelsAndPredictions() {
        Random random = new Random(3);
        int[] labels = random.ints(200, 0, 2).toArray();
        int[] predictions = Arrays.stream(labels)
                .map(label -> random.nextInt(4) == 0 ? 1 - label : label)
                .toArray();

        assertThat(Evaluation.ofChoices(1, 5, predictions, labels, 2).value(Metric.MATTHEWS))
                .isCloseTo(correlation(labels, predictions), ROUNDING);
    }

    @Test
    void classesThatNeverOccurDoNotLowerMacroF1() {
        assertThat(Evaluation.ofChoices(1, 5, new int[] {0, 1, 1}, new int[] {0, 1, 1}, 5)
                        .value(Metric.F1))
                .isEqualTo(1);
    }

    @Test
    void alwaysTheSameAnswerHasNoCorrelation() {
        Evaluation evaluation = Evaluation.ofChoices(1, 5, new int[4], new int[] {0, 1, 0, 1}, 2);

        assertThat(evaluation.value(Metric.MATTHEWS)).isZero();
        assertThat(evaluation.value(Metric.F1)).isZero();
        assertThat(evaluation.standardError(Metric.MATTHEWS)).isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void errorsOfF1AndMatthewsAreTheJackknifes(int classes) {
        Random random = new Random(4);
        int[] labels = random.ints(60, 0, classes).toArray();
        int[] predictions = Arrays.stream(labels)
                .map(label -> random.nextInt(3) == 0 ? random.nextInt(classes) : label)
                .toArray();
        Evaluation evaluation = Evaluation.ofChoices(1, 5, predictions, labels, classes);

        for (Metric metric : new Metric[] {Metric.F1, Metric.MATTHEWS}) {
            double[] without = IntStream.range(0, labels.length)
                    .mapToObj(i -> Evaluation.ofChoices(1, 5, drop(predictions, i), drop(labels, i), classes))
                    .mapToDouble(each -> each.value(metric))
                    .toArray();
            double n = labels.length;
            // deviation() divides by n - 1
            double expected = deviation(without) * Math.sqrt((n - 1) / n * (n - 1));
            assertThat(evaluation.standardError(metric)).isCloseTo(expected, ROUNDING);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Metric.class,
            names = {"ACCURACY", "F1", "MATTHEWS"})
    void errorsOfChoicesAreTheirSpreadOverRepeatedDraws(Metric metric) {
        Random random = new Random(5);
        double[] values = new double[1500];
        double[] errors = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            int[] labels = random.ints(120, 0, 2).toArray();
            int[] predictions = Arrays.stream(labels)
                    .map(label -> random.nextInt(10) < 3 ? 1 - label : label)
                    .toArray();
            Evaluation evaluation = Evaluation.ofChoices(1, 5, predictions, labels, 2);
            values[i] = evaluation.value(metric);
            errors[i] = evaluation.standardError(metric);
        }

        assertThat(Arrays.stream(errors).average().orElseThrow() / deviation(values))
                .isBetween(0.92, 1.08);
    }

    @Test
    void refusesLabelsAndPredictionsOutsideTheClasses() {
        assertThatThrownBy(() -> Evaluation.ofChoices(1, 5, new int[] {0, 0}, new int[] {0, 2}, 2))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The label (2) of question (1) is not a class from 0 to 1.");
        assertThatThrownBy(() -> Evaluation.ofChoices(1, 5, new int[] {-1}, new int[] {0}, 2))
                .hasMessage("The prediction (-1) of question (0) is not a class from 0 to 1.");
        assertThatThrownBy(() -> Evaluation.ofChoices(1, 5, new int[1], new int[1], 1))
                .hasMessageContaining("(1) classes");
        assertThatThrownBy(() -> Evaluation.ofChoices(1, 5, new int[2], new int[1], 2))
                .hasMessageContaining("(2) questions with labels of (1)");
    }

    @Test
    void refusesAStandardErrorWithoutAValue() {
        assertThatThrownBy(() -> new Evaluation(1, 1, 1, Map.of(Metric.F1, 0.5), Map.of(Metric.ACCURACY, 0.1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("ACCURACY");
    }

    @Test
    void aMetricThatWasNotMeasuredIsNotANumber() {
        Evaluation evaluation = Evaluation.ofChoices(1, 5, new int[2], new int[2], 2);

        assertThat(evaluation.value(Metric.PERPLEXITY)).isNaN();
        assertThat(evaluation.text(Metric.ACCURACY)).isEqualTo("1.0000 +- 0.0000");
    }

    private static int[] drop(int[] values, int index) {
        return IntStream.range(0, values.length)
                .filter(i -> i != index)
                .map(i -> values[i])
                .toArray();
    }

    private static double deviation(double[] values) {
        double mean = Arrays.stream(values).average().orElseThrow();
        return Math.sqrt(Arrays.stream(values)
                        .map(value -> (value - mean) * (value - mean))
                        .sum()
                / (values.length - 1));
    }

    private static double correlation(int[] a, int[] b) {
        double meanA = Arrays.stream(a).average().orElseThrow();
        double meanB = Arrays.stream(b).average().orElseThrow();
        double covariance = 0;
        double varianceA = 0;
        double varianceB = 0;
        for (int i = 0; i < a.length; i++) {
            covariance += (a[i] - meanA) * (b[i] - meanB);
            varianceA += (a[i] - meanA) * (a[i] - meanA);
            varianceB += (b[i] - meanB) * (b[i] - meanB);
        }
        return covariance / Math.sqrt(varianceA * varianceB);
    }
}
