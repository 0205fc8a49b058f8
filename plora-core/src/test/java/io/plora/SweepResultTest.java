package io.plora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SweepResultTest {
    private static final Path OUTPUT = Path.of("sweep");

    @Test
    void ranksLowLossesFirst() {
        Trial good = finished(1, 1.0);
        Trial bad = finished(2, 2.0);

        assertThat(loss(bad, good).ranking()).containsExactly(good, bad);
        assertThat(loss(bad, good).best()).isEqualTo(good);
    }

    @Test
    void ranksHighAccuraciesFirst() {
        Trial good = trial(1, Metric.ACCURACY, 0.9, 0.01);
        Trial bad = trial(2, Metric.ACCURACY, 0.8, 0.01);

        assertThat(new SweepResult(List.of(bad, good), Metric.ACCURACY, OUTPUT, 1).ranking())
                .containsExactly(good, bad);
    }

    @Test
    void ranksFinishedThenCancelledThenFailedWhateverOrderTheyComeIn() {
        Trial good = finished(1, 1.0);
        Trial bad = finished(2, 2.0);
        Trial diverged = finished(3, Double.NaN);
        Trial cancelled = Trial.builder(config(4), Trial.Status.CANCELLED)
                .withBest(evaluation(Metric.VALIDATION_LOSS, 0.5, 0.1))
                .build();
        Trial failed = failed(5, "out of memory");
        List<Trial> trials = new ArrayList<>(List.of(good, bad, diverged, cancelled, failed));

        for (int seed = 0; seed < 10; seed++) {
            Collections.shuffle(trials, new Random(seed));
            assertThat(loss(trials.toArray(Trial[]::new)).ranking())
                    .containsExactly(good, bad, diverged, cancelled, failed);
        }
    }

    @Test
    void ranksEqualValuesById() {
        List<Trial> ranking = loss(
                        finished(8, 1.0), finished(4, 1.0), finished(16, 1.0), failed(2, "a"), failed(1, "b"))
                .ranking();

        assertThat(ranking.subList(0, 3)).extracting(Trial::id).isSorted();
        assertThat(ranking.subList(3, 5)).extracting(Trial::id).isSorted();
    }

    @Test
    void namesTheFailuresIfNothingFinished() {
        Trial failed = failed(1, "loss is NaN in step 3");

        assertThatThrownBy(loss(failed)::best)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("None of the (1) trials finished.")
                .hasMessageContaining(failed.id() + ": loss is NaN in step 3");
        assertThatThrownBy(loss()::best).hasMessage("None of the (0) trials finished.");
    }

    @Test
    void hasNoBestWithoutAValueToRankBy() {
        SweepResult result =
                loss(Trial.builder(config(1), Trial.Status.FINISHED).build(), finished(2, Double.NaN));

        assertThatThrownBy(result::best)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("No finished trial has a validation loss.")
                .hasMessageContaining("Maybe");
    }

    @Test
    void trialsWithinOneStandardErrorOfTheBestAreTied() {
        Trial best = trial(1, Metric.VALIDATION_LOSS, 1.0, 0.25);
        Trial near = trial(2, Metric.VALIDATION_LOSS, 1.25, 0);
        Trial far = trial(3, Metric.VALIDATION_LOSS, 1.3, 5);
        Trial diverged = finished(4, Double.NaN);
        Trial failed = failed(5, "loss is NaN");
        SweepResult result = loss(best, near, far, diverged, failed);

        assertThat(result.ranking().stream().filter(result::tiedWithBest)).containsExactly(best, near);
    }

    @Test
    void onlyEqualValuesAreTiedWithoutAStandardError() {
        Trial first = finished(1, 1.0);
        Trial second = finished(2, 1.0);
        Trial third = finished(3, 1.0001);
        SweepResult result = loss(first, second, third);

        assertThat(result.ranking().stream().filter(result::tiedWithBest)).containsExactlyInAnyOrder(first, second);
    }

    @Test
    void addsUpItsTrials() {
        Trial one = Trial.builder(config(1), Trial.Status.FINISHED)
                .withTokens(600)
                .withSteps(10)
                .withSeconds(3)
                .build();
        Trial other = Trial.builder(config(2), Trial.Status.CANCELLED)
                .withTokens(400)
                .withSteps(5)
                .withSeconds(4)
                .build();
        SweepResult result = new SweepResult(List.of(one, other), Metric.VALIDATION_LOSS, OUTPUT, 4);

        assertThat(result.tokens()).isEqualTo(1000);
        assertThat(result.steps()).isEqualTo(15);
        assertThat(result.tokensPerSecond()).isEqualTo(250);
        assertThat(new SweepResult(List.of(one), Metric.VALIDATION_LOSS, OUTPUT, 0).tokensPerSecond())
                .isZero();
    }

    @Test
    void listsFailures() {
        Trial failed = failed(2, "loss is NaN");

        assertThat(loss(finished(1, 1.0), failed).failures()).containsExactly(failed);
    }

    private static SweepResult loss(Trial... trials) {
        return new SweepResult(List.of(trials), Metric.VALIDATION_LOSS, OUTPUT, 1);
    }

    private static LoraConfig config(int rank) {
        return LoraConfig.builder().withRank(rank).build();
    }

    private static Evaluation evaluation(Metric metric, double value, double error) {
        return new Evaluation(1, 10, 5, Map.of(metric, value), Map.of(metric, error));
    }

    private static Trial trial(int rank, Metric metric, double value, double error) {
        return Trial.builder(config(rank), Trial.Status.FINISHED)
                .withBest(evaluation(metric, value, error))
                .build();
    }

    private static Trial finished(int rank, double loss) {
        return Trial.builder(config(rank), Trial.Status.FINISHED)
                .withBest(new Evaluation(1, 10, 5, Map.of(Metric.VALIDATION_LOSS, loss), Map.of()))
                .build();
    }

    private static Trial failed(int rank, String message) {
        return Trial.builder(config(rank), Trial.Status.FAILED)
                .withFailure(message)
                .build();
    }
}
