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

    /** Such as {@code best 0.8125 r8-a16-lr0.0001-b1-0a1b2c3d (accuracy)}; empty before the first value. */
    String text() {
        return id == null ? "" : String.format(Locale.ROOT, "best %.4f %s (%s)", value, id, metric.label());
    }
}
