package io.plora.plan;

import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeSet;

/**
 * Seconds that trials and groups have left. They are remembered until the trial or group changes, because near the end of a
 * sweep every decision looks at all of them.
 */
final class TimeLeft {
    private final SweepState state;
    private final Rates rates;
    private final DegreeChoice degrees;
    private final int chains;
    /** Seconds of each trial alone, NaN where it has changed since. */
    private final double[] alone;

    /** Device-seconds of each trial, in its group or where it would join. */
    private final PairwiseSum deviceSeconds;

    private final Map<Integer, Load> loads = new HashMap<>();
    private final NavigableSet<Load> lightestFirst =
            new TreeSet<>(Comparator.comparingDouble(Load::seconds).thenComparingInt(Load::group));
    /** Groups that have changed since their load was computed. */
    private final Set<Integer> changedGroups = new HashSet<>();

    private final NavigableSet<TrialState> waiting;

    /**
     * Work of a group.
     *
     * @param group id
     */
    record Load(int group, double seconds) {}

    /** @param chains degree that the longest chain asks for */
    TimeLeft(SweepState state, int chains) {
        this.state = state;
        this.chains = chains;
        rates = state.rates();
        degrees = state.degrees();
        alone = new double[state.trials().size()];
        Arrays.fill(alone, Double.NaN);
        waiting = new TreeSet<>(longestFirst());
        waiting.addAll(state.waiting());
        state.groups().forEach(group -> changedGroups.add(group.id()));
        deviceSeconds = new PairwiseSum(alone.length);
        state.unfinished().forEach(trial -> deviceSeconds.set(trial.index(), deviceSeconds(trial)));
    }

    private double deviceSeconds(TrialState trial) {
        if (trial.phase() == Phase.ENDED) {
            return 0;
        }
        GroupState group = state.groupOf(trial.index());
        return group == null
                ? degree(trial) * rates.at(degree(trial)).seconds(trial)
                : group.degree() * in(trial, group);
    }

    int chains() {
        return chains;
    }

    /** The degree of the group that a trial should join. */
    int degree(TrialState trial) {
        return degrees.preferred(trial, chains);
    }

    /** Seconds that a trial takes alone. */
    double alone(TrialState trial) {
        double known = alone[trial.index()];
        if (Double.isNaN(known)) {
            int degree = degree(trial);
            known = Math.max(rates.at(degree).seconds(trial), degrees.chainSeconds(trial, degree));
            alone[trial.index()] = known;
        }
        return known;
    }

    /** Seconds of work in a group. */
    double in(TrialState trial, GroupState group) {
        return rates.at(group.degree()).seconds(trial) / state.speedOf(group.devices());
    }

    /** Seconds of work that a group's members have left. */
    double of(GroupState group) {
        update();
        return loads.get(group.id()).seconds();
    }

    /** What open groups have left, those with the least work first. */
    NavigableSet<Load> lightestFirst() {
        update();
        return Collections.unmodifiableNavigableSet(lightestFirst);
    }

    private void update() {
        for (int id : changedGroups) {
            Load before = loads.remove(id);
            if (before != null) {
                lightestFirst.remove(before);
            }
            if (state.isOpen(id)) {
                Load load = new Load(id, secondsOf(state.group(id)));
                loads.put(id, load);
                lightestFirst.add(load);
            }
        }
        changedGroups.clear();
    }

    private double secondsOf(GroupState group) {
        double seconds = 0;
        for (int member : group.members()) {
            seconds += in(state.trial(member), group);
        }
        return seconds;
    }

    /** Orders trials by the seconds that they take alone. */
    Comparator<TrialState> longestFirst() {
        return Comparator.comparingDouble(this::alone).reversed().thenComparingInt(TrialState::index);
    }

    /** Waiting trials, those that take longest alone first. */
    NavigableSet<TrialState> waiting() {
        return Collections.unmodifiableNavigableSet(waiting);
    }

    /** Device-seconds of all trials. */
    double deviceSeconds() {
        return deviceSeconds.total();
    }

    /** @param group of the trial, -1 for none */
    void changed(TrialState before, TrialState after, int group) {
        if (before.phase() == Phase.WAITING) {
            waiting.remove(before);
        }
        alone[after.index()] = Double.NaN;
        if (after.phase() == Phase.WAITING) {
            waiting.add(after);
        }
        changedGroups.add(group);
        deviceSeconds.set(after.index(), deviceSeconds(after));
    }

    void changed(int group) {
        changedGroups.add(group);
    }
}
