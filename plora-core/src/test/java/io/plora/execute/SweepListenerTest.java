package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.EpochEvent;
import io.plora.FailureEvent;
import io.plora.Metric;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.SweepStart;
import io.plora.Trial;
import io.plora.data.Sample;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SweepListenerTest {
    private static final long TOKENS_OF_TRIAL = 2L
            * TinySweeps.sampleList(1, TinySweeps.SAMPLES).stream()
                    .mapToInt(Sample::rows)
                    .sum();

    @TempDir
    private Path folder;

    private Recorder recorder;

    @BeforeEach
    void record() {
        recorder = new Recorder();
    }

    @Test
    void hearsAllThatHappensInOrder() {
        TinySweeps.sweep(folder).withListener(recorder).build().run();

        assertThat(recorder.calls).startsWith("started", "planned").endsWith("ended");
        assertThat(recorder.calls).containsOnlyOnce("started", "planned", "ended");
        for (LoraConfig config : TinySweeps.CONFIGS) {
            assertThat(recorder.calls)
                    .containsOnlyOnce("epoch 1 " + config.id(), "epoch 2 " + config.id(), "end " + config.id())
                    .containsSubsequence(
                            "step", "epoch 1 " + config.id(), "step", "epoch 2 " + config.id(), "end " + config.id());
        }
        assertThat(recorder.plan)
                .contains("Plan by continuous packing")
                .contains(TinySweeps.CONFIGS.get(3).id());
        assertThat(recorder.calls.stream().filter("step"::equals).count())
                .isEqualTo(Long.parseLong(recorder.plan.replaceAll("(?s).*?([\\d,]+) iterations.*", "$1")));
    }

    @Test
    void tokensAddUpToWhatIsExpected() {
        SweepResult result =
                TinySweeps.sweep(folder).withListener(recorder).build().run();

        SweepStart start = recorder.start;
        assertThat(start.tokens()).isEqualTo(4 * TOKENS_OF_TRIAL);
        assertThat(start.steps()).isEqualTo(result.steps());
        assertThat(start.metric()).isEqualTo(Metric.VALIDATION_LOSS);
        long done = 0;
        for (StepEvent step : recorder.steps) {
            done += step.tokens();
            assertThat(step.tokens()).isBetween(1L, 80L);
            assertThat(step.tokensDone()).isEqualTo(done);
            assertThat(step.tokensExpected()).isEqualTo(start.tokens());
        }
        assertThat(done).isEqualTo(start.tokens()).isEqualTo(result.tokens());
        assertThat(result.ranking()).extracting(Trial::tokens).containsOnly(TOKENS_OF_TRIAL);
    }

    @Test
    void tokensOfATrialThatFailsAreNoLongerExpected() {
        LoraConfig wild = TinySweeps.config(8, 1)
                .withLearningRate(1e30)
                .withMaxGradientNorm(0)
                .build();
        TinySweeps.sweep(folder, List.of(TinySweeps.CONFIGS.get(0), wild))
                .withListener(recorder)
                .build()
                .run();

        StepEvent last = recorder.steps.get(recorder.steps.size() - 1);
        assertThat(recorder.start.tokens()).isEqualTo(2 * TOKENS_OF_TRIAL);
        assertThat(last.tokensExpected())
                .isEqualTo(last.tokensDone())
                .isLessThan(2 * TOKENS_OF_TRIAL)
                .isGreaterThan(TOKENS_OF_TRIAL);
        assertThat(recorder.calls).containsSubsequence("failed " + wild.id(), "end " + wild.id());
    }

    @Test
    void aListenerThatThrowsDoesNotStopTheSweep() {
        SweepResult result = TinySweeps.sweep(folder)
                .withListener(new SweepListener() {
                    @Override
                    public void stepCompleted(StepEvent event) {
                        throw new IllegalStateException("not my day");
                    }
                })
                .withListener(recorder)
                .build()
                .run();

        assertThat(result.ranking()).extracting(Trial::status).containsOnly(Trial.Status.FINISHED);
        assertThat(recorder.calls).contains("step").endsWith("ended");
    }

    @Test
    void aSweepWithNothingLeftToDoStartsAndEnds() {
        TinySweeps.sweep(folder).build().run();
        TinySweeps.sweep(folder).withListener(recorder).build().run();

        assertThat(recorder.calls).containsExactly("started", "ended");
        assertThat(recorder.start.configs()).isEmpty();
        assertThat(recorder.start.tokens()).isZero();
    }

    private static final class Recorder implements SweepListener {
        private final List<String> calls = new ArrayList<>();
        private final List<StepEvent> steps = new ArrayList<>();
        private SweepStart start;
        private String plan;

        @Override
        public void sweepStarted(SweepStart start) {
            calls.add("started");
            this.start = start;
        }

        @Override
        public void sweepPlanned(String plan) {
            calls.add("planned");
            this.plan = plan;
        }

        @Override
        public void stepCompleted(StepEvent event) {
            calls.add("step");
            steps.add(event);
        }

        @Override
        public void epochCompleted(EpochEvent event) {
            calls.add("epoch %d %s".formatted(event.epoch(), event.trialId()));
        }

        @Override
        public void trialFailed(FailureEvent event) {
            calls.add("failed " + event.trialId());
        }

        @Override
        public void trialEnded(Trial trial) {
            calls.add("end " + trial.id());
        }

        @Override
        public void sweepEnded(SweepResult result) {
            calls.add("ended");
        }

        @Override
        public void sweepFailed(Throwable cause) {
            calls.add("failed");
        }
    }
}
