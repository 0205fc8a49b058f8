package io.plora.plan;

import io.plora.cost.Bytes;
import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.Leave;
import io.plora.plan.Action.OpenGroup;
import java.util.HashSet;
import java.util.NoSuchElementException;

/** Checks decisions: planner and executor carry out nothing that has not passed here. */
public final class DecisionValidator {
    private SweepState state;

    private DecisionValidator(SweepState state) {
        this.state = state;
    }

    /**
     * Checks a decision, action by action, and what its groups hold at the end.
     *
     * @return the state after the decision, iterations in progress
     * @throws IllegalArgumentException if it cannot be carried out, naming the action and the reason
     */
    public static SweepState validate(SweepState state, Decision decision) {
        DecisionValidator validator = new DecisionValidator(state);
        for (Action action : decision.actions()) {
            validator.apply(action);
        }
        for (GroupState group : validator.state.groups()) {
            if (decision.actions().stream().anyMatch(action -> action.group() == group.id())) {
                validator.checkLoad(group);
            }
        }
        return validator.state;
    }

    private void apply(Action action) {
        try {
            if (action instanceof OpenGroup open) {
                open(open);
                return;
            }
            GroupState group = state.group(action.group());
            require(!group.isIterating(), "group (%d) is in an iteration", group.id());
            if (action instanceof Join join) {
                join(group, state.trial(join.trial()));
            } else if (action instanceof Leave leave) {
                leave(group, state.trial(leave.trial()));
            } else if (action instanceof CloseGroup) {
                require(group.members().isEmpty(), "trials (%s) are members; let them leave first", group.members());
                state = state.withoutGroup(group.id());
            } else if (action instanceof Iterate iterate) {
                iterate(group, iterate);
            }
        } catch (IllegalArgumentException | NoSuchElementException e) {
            throw new IllegalArgumentException("Impossible action (%s): %s".formatted(action, e.getMessage()), e);
        }
    }

    private void open(OpenGroup open) {
        require(open.group() == state.nextGroup(), "the next group is (%d)", state.nextGroup());
        require(!open.devices().isEmpty(), "it names no device");
        require(new HashSet<>(open.devices()).size() == open.devices().size(), "it names a device twice");
        for (int device : open.devices()) {
            require(state.freeDevices().contains(state.device(device)), "device (%d) belongs to another group", device);
        }
        state = state.withOpened(open.devices());
    }

    private void join(GroupState group, TrialState trial) {
        require(trial.phase() != Phase.ENDED, "%s has ended", trial);
        GroupState other = state.groupOf(trial.index());
        if (other != null) {
            throw new IllegalArgumentException("%s is already in group (%d).".formatted(trial, other.id()));
        }
        state = state.with(group.withMember(trial.index())).with(trial.withPhase(Phase.RUNNING));
    }

    private void leave(GroupState group, TrialState trial) {
        requireMember(group, trial);
        state = state.with(group.withoutMember(trial.index())).with(trial.withPhase(Phase.WAITING));
    }

    private void iterate(GroupState group, Iterate iterate) {
        require(!iterate.samples().isEmpty(), "it has no sample");
        iterate.samples().forEach((index, count) -> {
            TrialState trial = state.trial(index);
            requireMember(group, trial);
            int lacking = trial.nextLengths().length();
            require(count >= 1, "%s gets (%d) samples; leave it out instead", trial, count);
            require(count <= lacking, "%s gets (%d) samples, its batch lacks (%d)", trial, count, lacking);
        });
        state = state.with(group.begin(iterate.samples()));
    }

    private void checkLoad(GroupState group) {
        GroupLoad load = GroupLoad.of(state, group);
        require(
                load.bytes() <= load.memoryLimit(),
                "Impossible decision: group (%d) with trials (%s) needs (%s), its smallest device has (%s)",
                group.id(),
                group.members(),
                Bytes.toText(load.bytes()),
                Bytes.toText(load.memoryLimit()));
        require(
                !load.exceedsBudget(),
                "Impossible decision: the iteration of group (%d) has (%d) tokens, the token budget is (%d)",
                group.id(),
                load.tokens(),
                state.tokenBudget());
    }

    private static void requireMember(GroupState group, TrialState trial) {
        require(group.members().contains(trial.index()), "%s is no member of group (%d)", trial, group.id());
    }

    private static void require(boolean valid, String message, Object... values) {
        if (!valid) {
            throw new IllegalArgumentException(message.formatted(values) + ".");
        }
    }
}
