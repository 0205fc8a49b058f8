package io.plora.plan;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Seconds of work that groups have left, near the end of a sweep. */
final class Balance {
    /** Least part of a group's work that is worth a move. */
    private static final double WORTH_A_MOVE = 0.01;

    private final SweepState state;
    private final Rates rates;
    private final Map<Integer, Double> loads = new HashMap<>();
    private final double mean;

    private Balance(SweepState state, Rates rates) {
        this.state = state;
        this.rates = rates;
        double total = 0;
        for (GroupState group : state.groups()) {
            double load = 0;
            for (int member : group.members()) {
                load += seconds(state.trial(member), group);
            }
            loads.put(group.id(), load);
            total += load;
        }
        for (TrialState trial : state.waiting()) {
            total += rates.at(1).seconds(trial);
        }
        mean = total / Math.max(1, state.groups().size() + state.freeDevices().size());
    }

    static Balance of(SweepState state, Rates rates) {
        return new Balance(state, rates);
    }

    private double seconds(TrialState trial, GroupState group) {
        return rates.at(group.degree()).seconds(trial) / state.speedOf(group.devices());
    }

    /** Whether a group has less to do than others, so that waiting trials are its. */
    boolean mayTake(GroupState group) {
        return loads.get(group.id()) <= mean;
    }

    /** The member that another group should take over, if any. */
    List<TrialState> going(GroupState group, List<TrialState> members, DegreeChoice degrees) {
        if (members.size() < 2) {
            return List.of();
        }
        double load = loads.get(group.id());
        double least = load * (1 - WORTH_A_MOVE);
        @Nullable TrialState best = null;
        for (TrialState member : members) {
            double here = seconds(member, group);
            @Nullable GroupState target = target(group, member, degrees);
            double there = target == null ? here : loads.get(target.id()) + seconds(member, target);
            if (target == null && state.freeDevices().isEmpty()) {
                continue;
            }
            double longer = Math.max(load - here, there);
            if (longer < least) {
                least = longer;
                best = member;
            }
        }
        return best == null ? List.of() : List.of(best);
    }

    /** The group with the least work that has room; null if there is none. */
    private @Nullable GroupState target(GroupState from, TrialState trial, DegreeChoice degrees) {
        @Nullable GroupState target = null;
        for (GroupState group : state.groups()) {
            if (group.id() != from.id()
                    && group.degree() >= degrees.least(trial)
                    && (target == null || loads.get(group.id()) < loads.get(target.id()))
                    && loads.get(group.id()) < mean
                    && hasRoom(group, trial)) {
                target = group;
            }
        }
        return target;
    }

    private boolean hasRoom(GroupState group, TrialState trial) {
        PackDraft draft = new PackDraft(state, group.devices(), Double.MAX_VALUE);
        group.members().forEach(member -> draft.join(state.trial(member)));
        return draft.holds(trial);
    }
}
