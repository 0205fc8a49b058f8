package io.plora;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MetricTest {

    @Test
    void lowerLossIsBetter() {
        assertThat(Metric.VALIDATION_LOSS.better(1.0, 2.0)).isTrue();
        assertThat(Metric.VALIDATION_LOSS.better(2.0, 1.0)).isFalse();
        assertThat(Metric.PERPLEXITY.better(Double.POSITIVE_INFINITY, 5.0)).isFalse();
    }

    @Test
    void higherAccuracyIsBetter() {
        assertThat(Stream.of(Metric.ACCURACY, Metric.F1, Metric.MATTHEWS)).allMatch(metric -> metric.better(0.9, 0.8));
        assertThat(Metric.MATTHEWS.better(-0.5, 0.0)).isFalse();
    }

    @ParameterizedTest
    @EnumSource
    void notANumberIsWorst(Metric metric) {
        assertThat(metric.better(Double.NaN, 0.5)).isFalse();
        assertThat(metric.better(0.5, Double.NaN)).isTrue();
        assertThat(metric.better(Double.NEGATIVE_INFINITY, Double.NaN)).isTrue();
        assertThat(metric.better(Double.POSITIVE_INFINITY, Double.NaN)).isTrue();
        assertThat(metric.better(Double.NaN, Double.NaN)).isFalse();
    }

    @ParameterizedTest
    @EnumSource
    void equalValuesAreNotBetter(Metric metric) {
        assertThat(metric.better(0.25, 0.25)).isFalse();
    }

    @Test
    void sortsFromBestToWorst() {
        assertThat(Stream.of(0.2, Double.NaN, 0.9, 0.5).sorted(Metric.ACCURACY.bestFirst()))
                .containsExactly(0.9, 0.5, 0.2, Double.NaN);
        assertThat(Stream.of(0.2, Double.NaN, 0.9, 0.5).sorted(Metric.VALIDATION_LOSS.bestFirst()))
                .containsExactly(0.2, 0.5, 0.9, Double.NaN);
    }
}
