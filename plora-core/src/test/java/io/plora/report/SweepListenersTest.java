package io.plora.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.EpochEvent;
import io.plora.FailureEvent;
import io.plora.Metric;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.SweepStart;
import io.plora.Trial;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SweepListenersTest {
    private static final SweepStart START =
            new SweepStart(List.of(), "cpu", 100, 10, Metric.VALIDATION_LOSS, Path.of("sweep"));
    private static final StepEvent STEP = new StepEvent(0, 0, 10, 1, Map.of(), 10, 100, Double.NaN);
    private static final EpochEvent EPOCH = new EpochEvent("a", 1, null);
    private static final FailureEvent FAILURE = new FailureEvent("a", 3, "loss is NaN");
    private static final Trial TRIAL =
            Trial.builder(LoraConfig.builder().build(), Trial.Status.FINISHED).build();
    private static final SweepResult RESULT =
            new SweepResult(List.of(TRIAL), Metric.VALIDATION_LOSS, Path.of("sweep"), 1);

    @Test
    void handsEveryEventToEveryListenerInOrder() {
        Recorder first = new Recorder();
        Recorder second = new Recorder();
        Exception cause = new IllegalStateException("disk full");
        SweepListeners listeners = new SweepListeners(List.of(first, second));

        listeners.sweepStarted(START);
        listeners.sweepPlanned("plan");
        listeners.stepCompleted(STEP);
        listeners.epochCompleted(EPOCH);
        listeners.trialFailed(FAILURE);
        listeners.trialEnded(TRIAL);
        listeners.sweepEnded(RESULT);
        listeners.sweepFailed(cause);

        assertThat(first.events).containsExactly(START, "plan", STEP, EPOCH, FAILURE, TRIAL, RESULT, cause);
        assertThat(second.events).isEqualTo(first.events);
    }

    @Test
    void aListenerThatThrowsIsReportedOnceAndStopsNobody() {
        Recorder after = new Recorder();
        SweepListener throwing = new ThrowingListener();
        SweepListeners listeners = new SweepListeners(List.of(throwing, after));

        try (LogCapture log = LogCapture.of(SweepListeners.class)) {
            listeners.stepCompleted(STEP);
            listeners.stepCompleted(STEP);
            listeners.stepCompleted(STEP);
            assertThat(log.messages())
                    .singleElement()
                    .asString()
                    .contains(ThrowingListener.class.getName())
                    .contains("stepCompleted");

            listeners.sweepEnded(RESULT);
            assertThat(log.messages()).hasSize(2).last().asString().contains("2 further exceptions");
        }
        assertThat(after.events).containsExactly(STEP, STEP, STEP, RESULT);
    }

    @Test
    void furtherExceptionsAreReportedWhenTheSweepFailsToo() {
        SweepListeners listeners = new SweepListeners(List.of(new ThrowingListener()));

        try (LogCapture log = LogCapture.of(SweepListeners.class)) {
            listeners.stepCompleted(STEP);
            listeners.stepCompleted(STEP);
            listeners.sweepFailed(new IllegalStateException("disk full"));
            assertThat(log.messages()).last().asString().contains("1 further exceptions");
        }
    }

    @Test
    void errorsPassThrough() {
        SweepListeners listeners = new SweepListeners(List.of(new SweepListener() {
            @Override
            public void sweepStarted(SweepStart start) {
                throw new OutOfMemoryError("Java heap space");
            }
        }));

        assertThatThrownBy(() -> listeners.sweepStarted(START)).isInstanceOf(OutOfMemoryError.class);
    }

    private static final class ThrowingListener implements SweepListener {
        @Override
        public void stepCompleted(StepEvent event) {
            throw new IllegalStateException("no database");
        }
    }

    private static final class Recorder implements SweepListener {
        private final List<Object> events = new ArrayList<>();

        @Override
        public void sweepStarted(SweepStart start) {
            events.add(start);
        }

        @Override
        public void sweepPlanned(String plan) {
            events.add(plan);
        }

        @Override
        public void stepCompleted(StepEvent event) {
            events.add(event);
        }

        @Override
        public void epochCompleted(EpochEvent event) {
            events.add(event);
        }

        @Override
        public void trialFailed(FailureEvent event) {
            events.add(event);
        }

        @Override
        public void trialEnded(Trial trial) {
            events.add(trial);
        }

        @Override
        public void sweepEnded(SweepResult result) {
            events.add(result);
        }

        @Override
        public void sweepFailed(Throwable cause) {
            events.add(cause);
        }
    }
}
