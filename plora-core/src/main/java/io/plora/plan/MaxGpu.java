package io.plora.plan;

import com.google.common.collect.Iterables;
import io.plora.plan.JobChoice.DevicePool;
import io.plora.plan.JobChoice.StartedJob;
import java.util.Collection;
import java.util.List;

/** The baseline Max GPU: each trial alone on all devices of a node (the largest power of two of them), one at a time. */
public final class MaxGpu implements PackingPolicy {

    @Override
    public String name() {
        return "max GPU";
    }

    @Override
    public Decision decide(SweepState state) {
        return JobDecision.decide(new StaticJobs(state, state.time()), MaxGpu::choose);
    }

    private static List<StartedJob> choose(StaticJobs jobs, Collection<TrialState> waiting, DevicePool pool) {
        int degree = Iterables.getLast(Degrees.upTo(pool.size()));
        if (pool.free().size() < degree) {
            return List.of();
        }
        return waiting.stream()
                .filter(trial -> jobs.fits(trial, degree, pool.memoryBytes()))
                .findFirst()
                .map(trial -> List.of(new StartedJob(degree, List.of(trial))))
                .orElse(List.of());
    }
}
