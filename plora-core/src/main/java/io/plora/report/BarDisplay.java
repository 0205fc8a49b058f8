package io.plora.report;

import java.io.PrintStream;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarStyle;

/** A bar on one line that is drawn anew, with tokens, tokens a second and remaining time. */
final class BarDisplay implements ProgressDisplay {
    private final LineConsumer line;
    private final ProgressBar bar;

    BarDisplay(PrintStream out, long expected) {
        boolean many = expected >= 1_000_000;
        line = new LineConsumer(out);
        bar = ProgressBar.builder()
                .setTaskName("sweep")
                .setInitialMax(expected)
                .setUnit(many ? "k tokens" : " tokens", many ? 1000 : 1)
                .setStyle(ProgressBarStyle.ASCII)
                .setConsumer(line)
                .showSpeed()
                .build();
    }

    @Override
    public void show(long done, long expected, String remark) {
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
