package io.plora.plan;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.DoubleSupplier;

/** Writes a plan from what happens in a {@link SweepProgress}. */
public final class PlanRecorder implements SweepObserver {
    private final DoubleSupplier clock;
    private final List<Decision> decisions = new ArrayList<>();
    private final SortedMap<Integer, GroupRecord> groups = new TreeMap<>();
    private final Map<Integer, GroupRecord> groupOfTrial = new HashMap<>();

    /** @param clock seconds since the start */
    public PlanRecorder(DoubleSupplier clock) {
        this.clock = clock;
    }

    @Override
    public void decided(Decision decision, SweepState after) {
        decisions.add(decision);
        double now = clock.getAsDouble();
        for (Action action : decision.actions()) {
            if (action instanceof Action.OpenGroup open) {
                groups.put(open.group(), new GroupRecord(open.group(), open.devices(), now));
            } else if (action instanceof Action.Join join) {
                groups.get(join.group()).join(after.trial(join.trial()), now);
                groupOfTrial.put(join.trial(), groups.get(join.group()));
            } else if (action instanceof Action.Leave leave) {
                groups.get(leave.group()).leave(leave.trial(), now);
            } else if (action instanceof Action.Iterate iterate) {
                groups.get(iterate.group()).begin(now);
            } else if (action instanceof Action.CloseGroup close) {
                groups.get(close.group()).close(now);
            }
        }
    }

    @Override
    public void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples) {
        groups.get(group.id()).finish(group, iterations, samples, clock.getAsDouble());
    }

    @Override
    public void ended(TrialState trial, EndReason reason) {
        GroupRecord group = groupOfTrial.get(trial.index());
        if (group != null) {
            group.leave(trial.index(), clock.getAsDouble());
        }
    }

    @Override
    public void lost(int device) {
        groups.values().stream().filter(group -> group.has(device)).forEach(group -> group.close(clock.getAsDouble()));
    }

    /**
     * What has been recorded so far.
     *
     * @param policy its name
     * @param bound of the sweep when the recording began
     * @param milliseconds that the planning took
     */
    public SweepPlan plan(String policy, LowerBound bound, double milliseconds) {
        double now = clock.getAsDouble();
        return new SweepPlan(
                policy,
                now,
                bound,
                milliseconds,
                groups.values().stream().map(group -> group.plan(now)).toList(),
                decisions,
                null);
    }
}
