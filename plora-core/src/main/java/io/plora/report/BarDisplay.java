package io.plora.report;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Optional;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarStyle;
import me.tongfei.progressbar.ProgressState;

/** A bar on one line that is drawn anew, with tokens, tokens a second and remaining time. */
final class BarDisplay implements ProgressDisplay {
    private final LineConsumer line;
    private final ProgressBar bar;
    private volatile double secondsLeft = Double.NaN;

    BarDisplay(PrintStream out, long expected) {
        boolean many = expected >= 1_000_000;
        line = new LineConsumer(out);
        bar = ProgressBar.builder()
                .setTaskName("sweep")
                .setInitialMax(expected)
                .setUnit(many ? "k tokens" : " tokens", many ? 1000 : 1)
                .setStyle(ProgressBarStyle.ASCII)
                .setConsumer(line)
                .setEtaFunction(this::left)
                .showSpeed()
                .build();
    }

    private Optional<Duration> left(ProgressState state) {
        if (!Double.isNaN(secondsLeft)) {
            return Optional.of(Duration.ofMillis(Math.round(1000 * secondsLeft)));
        }
        long left = state.getMax() - state.getCurrent();
        return state.getCurrent() > 0 && left >= 0
                ? Optional.of(state.getElapsedAfterStart().multipliedBy(left).dividedBy(state.getCurrent()))
                : Optional.empty();
    }

    @Override
    public void show(long done, long expected, double secondsLeft, String remark) {
        this.secondsLeft = secondsLeft;
        bar.maxHint(expected);
        bar.stepTo(done);
        bar.setExtraMessage(" " + remark);
    }

    @Override
    public void close() {
        // the bar would swallow the interrupt of a sweep that is being cancelled
        boolean interrupted = Thread.interrupted();
        try (line) {
            bar.close();
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
