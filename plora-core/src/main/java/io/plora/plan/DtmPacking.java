package io.plora.plan;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.cost.GroupTime;
import io.plora.plan.JobChoice.DevicePool;
import io.plora.plan.JobChoice.StartedJob;
import io.plora.plan.jobs.JobPlanner;
import io.plora.plan.jobs.JobSchedule.PlannedJob;
import io.plora.plan.jobs.MemberKind;
import io.plora.plan.jobs.Workload;
import io.plora.plan.jobs.Workload.Degree;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * PLoRA's own planner (Yan et al. 2025, arXiv 2508.02932, algorithms 1 and 2): static jobs. Whenever devices are free, it starts
 * the jobs that decomposed throughput maximisation (DTM) chooses for them. A job keeps its members and devices until
 * the last member has ended; nobody joins it.
 */
public final class DtmPacking implements PackingPolicy {
    private final @Nullable GroupTime time;

    /** Predicts jobs by the sweep's time model. */
    public DtmPacking() {
        this(null);
    }

    /** @param time predicts jobs, null for the sweep's own time model */
    DtmPacking(@Nullable GroupTime time) {
        this.time = time;
    }

    @Override
    public String name() {
        return "DTM";
    }

    @Override
    public Decision decide(SweepState state) {
        return JobDecision.decide(new StaticJobs(state, time == null ? state.time() : time), DtmPacking::choose);
    }

    /** Groups trials that cost the same, lets the planner choose how many of each, then takes the first of each. */
    private static List<StartedJob> choose(StaticJobs jobs, Collection<TrialState> waiting, DevicePool pool) {
        if (waiting.isEmpty() || pool.free().isEmpty()) {
            return List.of();
        }
        Map<List<MemberKind>, Deque<TrialState>> byCost = new LinkedHashMap<>();
        List<Integer> degrees = Degrees.upTo(pool.size());
        for (TrialState trial : waiting) {
            List<MemberKind> costs = degrees.stream()
                    .map(degree -> jobs.member(trial, degree, pool.memoryBytes()))
                    .toList();
            byCost.computeIfAbsent(costs, cost -> new ArrayDeque<>()).add(trial);
        }
        List<Degree> kinds = IntStream.range(0, degrees.size())
                .mapToObj(i -> new Degree(
                        degrees.get(i),
                        pool.memoryBytes() - jobs.state().memory().baseBytes(degrees.get(i)),
                        byCost.keySet().stream().map(costs -> costs.get(i)).toList()))
                .toList();
        Workload workload = new Workload(kinds, jobs.state().tokenBudget(), jobs.time());
        List<Deque<TrialState>> trials = List.copyOf(byCost.values());
        ImmutableIntArray counts = ImmutableIntArray.copyOf(trials.stream().mapToInt(Deque::size));
        List<StartedJob> started = new ArrayList<>();
        for (PlannedJob job : JobPlanner.next(workload, counts, pool.free().size())) {
            List<TrialState> members = new ArrayList<>();
            for (int kind = 0; kind < trials.size(); kind++) {
                for (int i = job.pack().counts().get(kind); i > 0; i--) {
                    members.add(trials.get(kind).remove());
                }
            }
            started.add(new StartedJob(job.devices(), members));
        }
        return started;
    }
}
