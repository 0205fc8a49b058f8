package io.plora.report;

import io.plora.EpochEvent;
import io.plora.FailureEvent;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.SweepStart;
import io.plora.Trial;
import java.util.Collection;
import java.util.List;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands each event to all listeners, one event at a time. A listener's first exception is logged, later ones are counted and
 * the count is logged at the end; the other listeners and the sweep go on. Errors, such as OutOfMemoryError, pass through.
 */
public final class SweepListeners implements SweepListener {
    private static final Logger LOGGER = LoggerFactory.getLogger(SweepListeners.class);

    private final List<Guarded> listeners;

    public SweepListeners(Collection<? extends SweepListener> listeners) {
        this.listeners = listeners.stream().map(Guarded::new).toList();
    }

    @Override
    public void sweepStarted(SweepStart start) {
        tell("sweepStarted", listener -> listener.sweepStarted(start));
    }

    @Override
    public void sweepPlanned(String plan) {
        tell("sweepPlanned", listener -> listener.sweepPlanned(plan));
    }

    @Override
    public void stepCompleted(StepEvent event) {
        tell("stepCompleted", listener -> listener.stepCompleted(event));
    }

    @Override
    public void epochCompleted(EpochEvent event) {
        tell("epochCompleted", listener -> listener.epochCompleted(event));
    }

    @Override
    public void trialFailed(FailureEvent event) {
        tell("trialFailed", listener -> listener.trialFailed(event));
    }

    @Override
    public void trialEnded(Trial trial) {
        tell("trialEnded", listener -> listener.trialEnded(trial));
    }

    @Override
    public void sweepEnded(SweepResult result) {
        tell("sweepEnded", listener -> listener.sweepEnded(result));
        listeners.forEach(Guarded::reportFurtherExceptions);
    }

    @Override
    public void sweepFailed(Throwable cause) {
        tell("sweepFailed", listener -> listener.sweepFailed(cause));
        listeners.forEach(Guarded::reportFurtherExceptions);
    }

    private synchronized void tell(String event, Consumer<SweepListener> call) {
        listeners.forEach(listener -> listener.tell(event, call));
    }

    private static final class Guarded {
        private final SweepListener listener;
        private long exceptions;

        private Guarded(SweepListener listener) {
            this.listener = listener;
        }

        // RuntimeException is not enough: listeners in other JVM languages throw checked exceptions undeclared
        private void tell(String event, Consumer<SweepListener> call) {
            try {
                call.accept(listener);
            } catch (Exception e) {
                if (exceptions++ == 0) {
                    LOGGER.error(
                            "Listener {} threw an exception in {}; the sweep goes on. Further ones are only counted.",
                            listener.getClass().getName(),
                            event,
                            e);
                }
            }
        }

        private void reportFurtherExceptions() {
            if (exceptions > 1) {
                LOGGER.error(
                        "Listener {} threw {} further exceptions.",
                        listener.getClass().getName(),
                        exceptions - 1);
            }
        }
    }
}
