package io.plora.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.EpochEvent;
import io.plora.Evaluation;
import io.plora.FailureEvent;
import io.plora.Metric;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.SweepStart;
import io.plora.Trial;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class LoggingListenerTest {
    private static final LoraConfig CONFIG = LoraConfig.builder().build();

    @Test
    void logsOneLineForEachEpochAndTrial() {
        Evaluation evaluation = Evaluation.ofLosses(1, 3, new double[] {1, 2, 4}, new int[] {1, 2, 1});
        Trial trial = Trial.builder(CONFIG, Trial.Status.FINISHED)
                .withBest(evaluation)
                .withSteps(12)
                .withTokens(345)
                .withSeconds(6.78)
                .build();
        SweepListener listener = Listeners.logging();

        try (LogCapture log = LogCapture.of(LoggingListener.class)) {
            listener.sweepStarted(
                    new SweepStart(List.of(CONFIG), "CPU", 345, 12, Metric.VALIDATION_LOSS, Path.of("out")));
            listener.epochCompleted(new EpochEvent("a", 1, evaluation));
            listener.epochCompleted(new EpochEvent("b", 2, null));
            listener.trialFailed(new FailureEvent("c", 4, "loss is NaN"));
            listener.trialEnded(trial);
            listener.sweepEnded(new SweepResult(List.of(trial), Metric.VALIDATION_LOSS, Path.of("out"), 9));
            listener.sweepFailed(new IllegalStateException("disk full"));

            assertThat(log.messages())
                    .containsExactly(
                            "Sweep of 1 configurations on CPU: 345 tokens, 12 optimizer steps, results in out",
                            "a completed epoch 1: validation loss 2.2500 +- 0.6760, perplexity 9.4877 +- 6.4141",
                            "b completed epoch 2: not evaluated",
                            "c failed in optimizer step 4: loss is NaN",
                            CONFIG.id()
                                    + " finished after 12 optimizer steps, 345 tokens, 6.8 s: validation loss 2.2500 +- 0.6760, perplexity 9.4877 +- 6.4141",
                            "Sweep ended: 1 trials, 0 failed, 345 tokens in 9.0 s, results in out",
                            "Sweep failed: java.lang.IllegalStateException: disk full");
        }
    }
}
