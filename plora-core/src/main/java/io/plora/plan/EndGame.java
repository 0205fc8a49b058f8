package io.plora.plan;

import io.plora.plan.TimeLeft.Load;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
    private static final double MAY_WAIT = 0.6;
    /** Groups look at one another after this part of what the sweep has left. */
    private static final double LOOK_AROUND = 0.07;

    private final SweepState state;
    private final DegreeChoice degrees;
    private final TimeLeft time;
    /** Waiting trials that have taken the place of a member in this decision. */
    private final Set<TrialState> joined = new HashSet<>();

    /** The same by group. */
    private final Map<Integer, List<TrialState>> arrivals = new HashMap<>();

    private final double left;

    EndGame(SweepState state, TimeLeft time) {
        this.state = state;
        this.time = time;
        degrees = state.degrees();
        left = time.deviceSeconds() / state.devices().size();
    }

    /** Whether a group has less to do than others, so that waiting trials are its. */
    boolean mayTake(GroupState group) {
        return time.of(group) <= left;
    }

    /** Members that wait for a while, or go to another group. */
    List<TrialState> going(GroupState group, List<TrialState> members) {
        List<TrialState> staying = new ArrayList<>(members);
        staying.sort(time.longestFirst());
        List<TrialState> going = new ArrayList<>();
        List<TrialState> coming = new ArrayList<>();
        for (TrialState urgent : time.waiting()) {
            if (time.alone(urgent) < MAY_WAIT * left || staying.isEmpty()) {
                break;
            }
            int places = degrees.least(urgent) > group.degree() || joined.contains(urgent)
                    ? 0
                    : placesFor(urgent, group, staying, coming);
            if (places > 0) {
                List<TrialState> shortest = staying.subList(staying.size() - places, staying.size());
                going.addAll(shortest);
                shortest.clear();
                coming.add(urgent);
            }
        }
        joined.addAll(coming);
        arrivals.put(group.id(), coming);
        if (going.isEmpty()) {
            TrialState moving = moving(group, members);
            return moving == null ? List.of() : List.of(moving);
        }
        return going;
    }

    /** How many of the shortest members, at least one, make room for an urgent trial; 0 if those that may wait longer do not. */
    private int placesFor(TrialState urgent, GroupState group, List<TrialState> longestFirst, List<TrialState> coming) {
        for (int places = 1; places <= longestFirst.size(); places++) {
            TrialState shortest = longestFirst.get(longestFirst.size() - places);
            if (time.alone(shortest) + LOOK_AROUND * left >= time.alone(urgent)) {
                return 0;
            }
            PackDraft draft = new PackDraft(state, group.devices(), Double.MAX_VALUE);
            longestFirst.subList(0, longestFirst.size() - places).forEach(draft::join);
            coming.forEach(draft::join);
            if (draft.holds(urgent)) {
                return places;
            }
        }
        return 0;
    }

    /** Whether a waiting trial has taken the place of a member. */
    boolean hasJoined(TrialState trial) {
        return joined.contains(trial);
    }

    /** Lets urgent trials take the place of members that go. */
    void joinUrgent(GroupState group, PackDraft draft) {
        arrivals.getOrDefault(group.id(), List.of()).forEach(draft::join);
    }

    /** The member that another group should take over, if any. */
    private @Nullable TrialState moving(GroupState group, List<TrialState> members) {
        double load = time.of(group);
        if (members.size() < 2 || load < left) {
            return null;
        }
        double least = load * (1 - WORTH_A_MOVE);
        TrialState best = null;
        for (TrialState member : members) {
            GroupState target = target(group, member);
            if (target == null && state.freeDevices().size() < time.degree(member)) {
                continue;
            }
            double there = target == null ? time.alone(member) : time.of(target) + time.in(member, target);
            double longer = Math.max(load - time.in(member, group), there);
            if (longer < least) {
                least = longer;
                best = member;
            }
        }
        return best;
    }

    /** The group with the least work that has room; null if there is none. */
    private @Nullable GroupState target(GroupState from, TrialState trial) {
        for (Load load : time.lightestFirst()) {
            if (load.seconds() >= left) {
                return null;
            }
            GroupState group = state.group(load.group());
            if (group.id() != from.id() && group.degree() >= degrees.least(trial) && hasRoom(group, trial)) {
                return group;
            }
        }
        return null;
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
            seconds += state.rates().at(draft.degree()).seconds(member) / state.speedOf(draft.devices());
        }
        double part = Math.min(1, LOOK_AROUND * left / seconds);
        return (int) Math.max(1, part * own / draft.samples());
    }
}
