package io.plora.examples.benchmark;

import io.plora.execute.Journal;
import io.plora.execute.ReplayPolicy;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.DtmPacking;
import io.plora.plan.MinGpu;
import io.plora.plan.PackingPolicy;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** The ways in which a benchmark runs the same sweep. */
enum SweepPolicy {
    CONTINUOUS,
    DTM,
    MIN_GPU;

    /**
     * A policy for one run or plan.
     *
     * @param saved DTM's plan, made before; null to plan now
     */
    PackingPolicy open(@Nullable Path saved) {
        return switch (this) {
            case CONTINUOUS -> new ContinuousPacking();
            case DTM -> saved == null ? new DtmPacking() : new ReplayPolicy(Journal.read(saved));
            case MIN_GPU -> new MinGpu();
        };
    }
}
