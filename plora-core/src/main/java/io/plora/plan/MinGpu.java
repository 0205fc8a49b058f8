package io.plora.plan;

import io.plora.plan.JobChoice.DevicePool;
import io.plora.plan.JobChoice.StartedJob;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * The baseline Min GPU: each trial alone on the fewest devices that hold it, as many at once as fit. Longest first, which
 * favours the baseline: in the order of the space its last devices would be idle for longer.
 */
public final class MinGpu implements PackingPolicy {

    @Override
    public String name() {
        return "min GPU";
    }

    @Override
    public Decision decide(SweepState state) {
        return JobDecision.decide(new StaticJobs(state, state.time()), MinGpu::choose);
    }

    private static List<StartedJob> choose(StaticJobs jobs, Collection<TrialState> waiting, DevicePool pool) {
        List<StartedJob> alone = new ArrayList<>();
        for (TrialState trial : waiting) {
            fewest(jobs, trial, pool).ifPresent(degree -> alone.add(new StartedJob(degree, List.of(trial))));
        }
        alone.sort(jobs.longestFirst(pool.memoryBytes()));
        List<StartedJob> started = new ArrayList<>();
        int free = pool.free().size();
        for (StartedJob job : alone) {
            if (job.degree() <= free) {
                started.add(job);
                free -= job.degree();
            }
        }
        return started;
    }

    private static Optional<Integer> fewest(StaticJobs jobs, TrialState trial, DevicePool pool) {
        return Degrees.upTo(pool.size()).stream()
                .filter(degree -> jobs.fits(trial, degree, pool.memoryBytes()))
                .findFirst();
    }
}
