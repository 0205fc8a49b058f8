package io.plora.report;

import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A line of text every ten seconds, for logs and other output that cannot be drawn over. */
final class LineDisplay implements ProgressDisplay {
    private static final Duration INTERVAL = Duration.ofSeconds(10);

    private final PrintStream out;
    private final InstantSource clock;
    private final Instant start;
    private Instant lastShown;
    private @Nullable String pending;

    LineDisplay(PrintStream out, InstantSource clock) {
        this.out = out;
        this.clock = clock;
        this.start = clock.instant();
        this.lastShown = start;
    }

    @Override
    public void show(long done, long expected, double secondsLeft, String remark) {
        Instant now = clock.instant();
        double rate = rate(done, Duration.between(start, now).toMillis() / 1e3);
        double left = Double.isNaN(secondsLeft) ? (expected - done) / rate : secondsLeft;
        pending = line(done, expected, rate, left, remark);
        if (Duration.between(lastShown, now).compareTo(INTERVAL) >= 0) {
            lastShown = now;
            print();
        }
    }

    private static double rate(long done, double seconds) {
        return seconds > 0 ? done / seconds : 0;
    }

    private static String line(long done, long expected, double rate, double secondsLeft, String remark) {
        String left =
                Double.isFinite(secondsLeft) ? String.format(Locale.ROOT, "%.0f s left", secondsLeft) : "? s left";
        return String.format(
                Locale.ROOT,
                "sweep %d%%, %d/%d tokens, %.0f tokens/s, %s%s",
                expected > 0 ? 100 * done / expected : 100,
                done,
                expected,
                rate,
                left,
                remark.isEmpty() ? "" : ", " + remark);
    }

    private void print() {
        out.println(pending);
        out.flush();
        pending = null;
    }

    @Override
    public void close() {
        if (pending != null) {
            print();
        }
    }
}
