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
    public void show(long done, long expected, String remark) {
        Instant now = clock.instant();
        pending = line(done, expected, Duration.between(start, now).toMillis() / 1e3, remark);
        if (Duration.between(lastShown, now).compareTo(INTERVAL) >= 0) {
            lastShown = now;
            print();
        }
    }

    private static String line(long done, long expected, double seconds, String remark) {
        double rate = seconds > 0 ? done / seconds : 0;
        String left = rate > 0 ? String.format(Locale.ROOT, "%.0f s left", (expected - done) / rate) : "? s left";
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
