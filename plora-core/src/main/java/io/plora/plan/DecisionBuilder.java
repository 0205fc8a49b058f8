package io.plora.plan;

import com.google.common.collect.ImmutableList;
import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.OpenGroup;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * Turns loads into a decision: the policy lets trials join and take samples; groups that got their first member open, those
 * left without one close, all others iterate.
 */
final class DecisionBuilder {
    private final SweepState state;
    private final List<GroupLoad> idle = new ArrayList<>();
    private final List<GroupLoad> unopened = new ArrayList<>();

    DecisionBuilder(SweepState state) {
        this.state = state;
        state.idleGroups().forEach(group -> idle.add(GroupLoad.of(state, group)));
        state.freeDevices().forEach(device -> unopened.add(new GroupLoad(state, List.of(device.index()))));
    }

    /** Idle groups by id, then one possible group for each free device. */
    List<GroupLoad> loads() {
        return ImmutableList.<GroupLoad>builder().addAll(idle).addAll(unopened).build();
    }

    Decision build() {
        ImmutableList.Builder<Action> actions = ImmutableList.builder();
        for (int i = 0; i < idle.size(); i++) {
            GroupState group = state.idleGroups().get(i);
            if (idle.get(i).members().isEmpty()) {
                actions.add(new CloseGroup(group.id()));
            } else {
                run(group.id(), group.members(), idle.get(i), actions);
            }
        }
        int nextGroup = state.nextGroup();
        for (GroupLoad load : unopened) {
            if (!load.members().isEmpty()) {
                actions.add(new OpenGroup(nextGroup, load.devices()));
                run(nextGroup, Set.of(), load, actions);
                nextGroup++;
            }
        }
        return new Decision(actions.build());
    }

    private static void run(int group, Set<Integer> before, GroupLoad load, ImmutableList.Builder<Action> actions) {
        load.members().stream()
                .filter(member -> !before.contains(member))
                .forEach(member -> actions.add(new Join(group, member)));
        actions.add(new Iterate(group, load.samples()));
    }
}
