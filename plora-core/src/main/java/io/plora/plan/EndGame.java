package io.plora.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How groups share what is left near the end of a sweep, so that all end at the same time.
 *
 * <p>A trial alone in a group takes some seconds, which no packing shortens. As long as that is much less than what the sweep
 * has left, it may wait. A trial that has not much more time than it needs takes the place of a member that needs less, which
 * waits in its turn; so the longest ones become equal. And a group that has more to do than others lets a member go.
 */
final class EndGame {
    /** Least part of a group's work that is worth a move. */
    private static final double WORTH_A_MOVE = 0.01;
    /** A trial may wait until it needs this part of what the sweep has left. */
    private static final double MAY_WAIT = 0.7;
    /** Groups look at one another after this part of what the sweep has left. */
    private static final double LOOK_AROUND = 0.1;

    private final SweepState state;
    private final Rates rates;
    private final DegreeChoice degrees;
    private final Map<Integer, Double> loads = new HashMap<>();
    private final Map<Integer, Double> alone = new HashMap<>();
    private final List<TrialState> waiting = new ArrayList<>();
    private final double left;

    EndGame(SweepState state, Rates rates, DegreeChoice degrees) {
        this.state = state;
        this.rates = rates;
        this.degrees = degrees;
        double deviceSeconds = 0;
        for (GroupState group : state.groups()) {
            double load = 0;
            for (int member : group.members()) {
                load += seconds(state.trial(member), group);
            }
            loads.put(group.id(), load);
            deviceSeconds += load * group.degree();
        }
        for (TrialState trial : state.waiting()) {
            int degree = degrees.preferred(trial);
            deviceSeconds += degree * rates.at(degree).seconds(trial);
        }
        left = deviceSeconds / state.devices().size();
        waiting.addAll(state.waiting());
        waiting.sort(longestFirst());
    }

    /** Seconds of work in a group. */
    private double seconds(TrialState trial, GroupState group) {
        return rates.at(group.degree()).seconds(trial) / state.speedOf(group.devices());
    }

    /** Seconds that a trial takes alone. */
    private double alone(TrialState trial) {
        return alone.computeIfAbsent(
                trial.index(),
                index -> Math.max(
                        rates.at(degrees.preferred(trial)).seconds(trial),
                        degrees.chainSeconds(trial, degrees.preferred(trial))));
    }

    Comparator<TrialState> longestFirst() {
        return Comparator.comparingDouble(this::alone).reversed().thenComparingInt(TrialState::index);
    }

    /** Whether a group has less to do than others, so that waiting trials are its. */
    boolean mayTake(GroupState group) {
        return loads.get(group.id()) <= left;
    }

    /** Members that wait for a while, or go to another group. */
    List<TrialState> going(GroupState group, List<TrialState> members) {
        List<TrialState> going = new ArrayList<>();
        List<TrialState> shortestFirst = new ArrayList<>(members);
        shortestFirst.sort(longestFirst().reversed());
        for (TrialState urgent : waiting) {
            if (alone(urgent) < MAY_WAIT * left || going.size() == shortestFirst.size()) {
                break;
            }
            TrialState shortest = shortestFirst.get(going.size());
            if (degrees.least(urgent) <= group.degree() && alone(shortest) + LOOK_AROUND * left < alone(urgent)) {
                going.add(shortest);
            }
        }
        if (going.isEmpty()) {
            TrialState moving = moving(group, members);
            return moving == null ? List.of() : List.of(moving);
        }
        return going;
    }

    /** Lets urgent trials take the place of members that go, as far as memory allows. */
    void joinUrgent(GroupState group, PackDraft draft) {
        int places = group.members().size() - draft.members().size();
        while (places > 0 && !waiting.isEmpty()) {
            TrialState urgent = waiting.get(0);
            if (alone(urgent) < MAY_WAIT * left || degrees.least(urgent) > group.degree() || !draft.holds(urgent)) {
                break;
            }
            waiting.remove(0);
            draft.join(urgent);
            places--;
        }
    }

    /** The member that another group should take over, if any. */
    private @Nullable TrialState moving(GroupState group, List<TrialState> members) {
        double load = loads.get(group.id());
        if (members.size() < 2 || load < left) {
            return null;
        }
        double least = load * (1 - WORTH_A_MOVE);
        TrialState best = null;
        for (TrialState member : members) {
            GroupState target = target(group, member);
            if (target == null && state.freeDevices().size() < degrees.preferred(member)) {
                continue;
            }
            double there = target == null ? alone(member) : loads.get(target.id()) + seconds(member, target);
            double longer = Math.max(load - seconds(member, group), there);
            if (longer < least) {
                least = longer;
                best = member;
            }
        }
        return best;
    }

    /** The group with the least work that has room; null if there is none. */
    private @Nullable GroupState target(GroupState from, TrialState trial) {
        GroupState target = null;
        for (GroupState group : state.groups()) {
            if (group.id() != from.id()
                    && group.degree() >= degrees.least(trial)
                    && loads.get(group.id()) < left
                    && (target == null || loads.get(group.id()) < loads.get(target.id()))
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

    /** Iterations until the group looks around again. */
    int mostIterations(PackDraft draft) {
        double own = draft.members().stream().mapToLong(TrialState::samplesLeft).sum();
        double seconds = 0;
        for (TrialState member : draft.members()) {
            seconds += rates.at(draft.degree()).seconds(member) / state.speedOf(draft.devices());
        }
        double part = Math.min(1, LOOK_AROUND * left / seconds);
        return (int) Math.max(1, part * own / draft.samples());
    }
}
