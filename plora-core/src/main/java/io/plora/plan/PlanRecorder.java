package io.plora.plan;

import io.plora.plan.SweepPlan.GroupPlan;
import io.plora.plan.SweepPlan.MemberPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** Writes a plan from what happens in a {@link SweepProgress}. */
public final class PlanRecorder implements SweepObserver {
    private final List<Decision> decisions = new ArrayList<>();
    private final SortedMap<Integer, GroupRecord> groups = new TreeMap<>();

    @Override
    public void decided(Decision decision, SweepState after) {
        decisions.add(decision);
        for (Action action : decision.actions()) {
            if (action instanceof Action.Iterate iterate) {
                GroupState group = after.group(iterate.group());
                groups.computeIfAbsent(group.id(), id -> new GroupRecord(group))
                        .iterate(GroupLoad.of(after, group), group.iterations(), after);
            }
        }
    }

    @Override
    public void finished(GroupState group) {}

    @Override
    public void ended(TrialState trial, EndReason reason) {}

    /** What has been recorded so far. */
    public SweepPlan plan(String policy) {
        return new SweepPlan(
                policy, groups.values().stream().map(GroupRecord::plan).toList(), decisions);
    }

    private static final class GroupRecord {
        private final GroupState opened;
        private final SortedMap<Integer, MemberPlan> members = new TreeMap<>();
        private int iterations;
        private long tokens;
        private long largestIteration;
        private long largestMemory;

        GroupRecord(GroupState opened) {
            this.opened = opened;
        }

        void iterate(GroupLoad load, int iteration, SweepState state) {
            iterations++;
            tokens += load.tokens();
            largestIteration = Math.max(largestIteration, load.tokens());
            largestMemory = Math.max(largestMemory, load.bytes());
            load.samples()
                    .forEach((trial, count) -> members.compute(
                            trial,
                            (index, before) -> before == null
                                    ? new MemberPlan(
                                            index, state.trial(index).config().id(), iteration, iteration, count)
                                    : new MemberPlan(
                                            index,
                                            before.id(),
                                            before.firstIteration(),
                                            iteration,
                                            before.samples() + count)));
        }

        GroupPlan plan() {
            return new GroupPlan(
                    opened.id(),
                    opened.devices(),
                    List.copyOf(members.values()),
                    iterations,
                    tokens,
                    largestIteration,
                    largestMemory);
        }
    }
}
