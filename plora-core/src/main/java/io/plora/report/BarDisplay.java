package io.plora.report;

import java.io.PrintStream;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarStyle;

/** A bar on one line that is drawn anew, with tokens, tokens a second and remaining time. */
final class BarDisplay implements ProgressDisplay {
    private final ProgressBar bar;

    BarDisplay(PrintStream out, long expected) {
        bar = ProgressBar.builder()
                .setTaskName("sweep")
                .setInitialMax(expected)
                .setUnit(" tokens", 1)
                .setStyle(ProgressBarStyle.ASCII)
                .setConsumer(new ConsoleProgressBarConsumer(out))
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
        bar.close();
    }
}
