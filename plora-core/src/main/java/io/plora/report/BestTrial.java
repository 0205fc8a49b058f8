package io.plora.report;

import io.plora.EpochEvent;
import io.plora.Metric;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Keeps the best value of the metric that any trial has reached so far. */
final class BestTrial {
    private final Metric metric;
    private @Nullable String id;
    private double value = Double.NaN;

    BestTrial(Metric metric) {
        this.metric = metric;
    }

    void update(EpochEvent event) {
        if (event.evaluation() != null && metric.better(event.evaluation().value(metric), value)) {
            value = event.evaluation().value(metric);
            id = event.trialId();
        }
    }

    /** Such as {@code best r8-a16-lr2e-04-b1-0a1b2c3d: accuracy 0.8125}; empty before the first value. */
    String text() {
        return id == null ? "" : String.format(Locale.ROOT, "best %s: %s %.4f", id, metric.label(), value);
    }
}
