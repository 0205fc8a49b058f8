package io.plora.report;

import io.plora.EpochEvent;
import io.plora.Evaluation;
import io.plora.FailureEvent;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.SweepStart;
import io.plora.Trial;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs one line for each epoch and trial, and for the sweep's start and end. */
public final class LoggingListener implements SweepListener {
    private static final Logger LOGGER = LoggerFactory.getLogger(LoggingListener.class);

    @Override
    public void sweepStarted(SweepStart start) {
        LOGGER.info(
                "Sweep of {} configurations on {}: {} tokens, {} optimizer steps, results in {}",
                start.configs().size(),
                start.devices(),
                start.tokens(),
                start.steps(),
                start.output());
    }

    @Override
    public void epochCompleted(EpochEvent event) {
        LOGGER.info("{} completed epoch {}: {}", event.trialId(), event.epoch(), text(event.evaluation()));
    }

    @Override
    public void trialFailed(FailureEvent event) {
        LOGGER.warn("{} failed in optimizer step {}: {}", event.trialId(), event.step(), event.message());
    }

    @Override
    public void trialEnded(Trial trial) {
        LOGGER.info(
                "{} {} after {} optimizer steps, {} tokens, {} s: {}",
                trial.id(),
                trial.status().name().toLowerCase(Locale.ROOT),
                trial.steps(),
                trial.tokens(),
                String.format(Locale.ROOT, "%.1f", trial.seconds()),
                text(trial.evaluation()));
    }

    @Override
    public void sweepEnded(SweepResult result) {
        LOGGER.info(
                "Sweep ended: {} trials, {} failed, {} tokens in {} s, results in {}",
                result.ranking().size(),
                result.failures().size(),
                result.tokens(),
                String.format(Locale.ROOT, "%.1f", result.seconds()),
                result.output());
    }

    @Override
    public void sweepFailed(Throwable cause) {
        LOGGER.error("Sweep failed: {}", cause.toString());
    }

    private static String text(@Nullable Evaluation evaluation) {
        return evaluation == null
                ? "not evaluated"
                : evaluation.values().keySet().stream()
                        .map(metric -> metric.label() + " " + evaluation.text(metric))
                        .collect(Collectors.joining(", "));
    }
}
