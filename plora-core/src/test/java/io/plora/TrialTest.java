package io.plora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TrialTest {
    private static final LoraConfig CONFIG = LoraConfig.builder().build();
    private static final Path LAST = Path.of("adapters", "last");
    private static final Path BEST = Path.of("adapters", "best");

    @Test
    void offersTheBestAdapter() {
        Trial trial = Trial.builder(CONFIG, Trial.Status.FINISHED)
                .withLastAdapter(LAST)
                .withBestAdapter(BEST)
                .build();

        assertThat(trial.adapter()).isEqualTo(BEST);
    }

    @Test
    void offersTheLastAdapterWithoutValidation() {
        Trial trial = Trial.builder(CONFIG, Trial.Status.FINISHED)
                .withLastAdapter(LAST)
                .build();

        assertThat(trial.adapter()).isEqualTo(LAST);
        assertThat(trial.value(Metric.VALIDATION_LOSS)).isNaN();
    }

    @Test
    void saysWhyThereIsNoAdapter() {
        Trial trial = Trial.builder(CONFIG, Trial.Status.FAILED)
                .withFailure("loss is NaN")
                .build();

        assertThat(trial.hasAdapter()).isFalse();
        assertThatThrownBy(trial::adapter)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("Trial (%s) has no adapter: it is (FAILED), loss is NaN.".formatted(CONFIG.id()));
    }

    @Test
    void speaksThroughItsBestEvaluation() {
        Evaluation best = new Evaluation(1, 10, 4, Map.of(Metric.F1, 0.75), Map.of());
        Evaluation last = new Evaluation(2, 20, 4, Map.of(Metric.F1, 0.5), Map.of());

        assertThat(Trial.builder(CONFIG, Trial.Status.FINISHED)
                        .withBest(best)
                        .withLast(last)
                        .build()
                        .value(Metric.F1))
                .isEqualTo(0.75);
        assertThat(Trial.builder(CONFIG, Trial.Status.CANCELLED)
                        .withLast(last)
                        .build()
                        .value(Metric.F1))
                .isEqualTo(0.5);
    }

    @Test
    void refusesAFailureThatHasNoMessageAndAMessageWithoutFailure() {
        Trial.Builder silent = Trial.builder(CONFIG, Trial.Status.FAILED);
        Trial.Builder contradictory =
                Trial.builder(CONFIG, Trial.Status.FINISHED).withFailure("loss is NaN");

        assertThatThrownBy(silent::build).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(contradictory::build).isInstanceOf(IllegalArgumentException.class);
    }
}
