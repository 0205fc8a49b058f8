package io.plora.plan;

import com.google.common.collect.HashMultiset;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.Multiset;
import io.plora.cost.GroupMemory;
import io.plora.cost.GroupTime;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.NoSuchElementException;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * All that a policy may look at: a sweep as it is now. It is a view that changes as the sweep goes on, because a sweep may have
 * ten thousand trials; what it hands out one by one (trials, groups, devices) does not change.
 */
public final class SweepState {
    private final TrialState[] trials;
    private final int[] groupOfTrial;
    private final NavigableSet<TrialState> waiting = new TreeSet<>(TrialState.LONGEST_CHAIN_FIRST);
    private final NavigableSet<TrialState> unfinished = new TreeSet<>(TrialState.LONGEST_CHAIN_FIRST);
    private final NavigableMap<Integer, GroupState> groups = new TreeMap<>();
    private final NavigableMap<Integer, GroupState> idleGroups = new TreeMap<>();
    /** How many devices groups have. */
    private final Multiset<Integer> degreesInUse = HashMultiset.create();

    private final NavigableMap<Integer, DeviceState> devices = new TreeMap<>();
    private final NavigableMap<Integer, DeviceState> freeDevices = new TreeMap<>();
    private final Conditions conditions;
    private GroupTime time;
    private int nextGroup;
    private @Nullable Rates rates;
    private @Nullable DegreeChoice degrees;
    private @Nullable TimeLeft timeLeft;
    private double speeds;
    private long samplesLeft;

    /**
     * What does not change during a sweep.
     *
     * @param tokenBudget most tokens of an iteration, unless it is a single sample
     * @param epoch lengths of an epoch's samples, in one of the trials' orders
     * @param longestSample length of the longest sample, of evaluation too
     * @param deviation standard deviation of a sample's length
     * @param meanParameters of an adapter
     */
    record Conditions(
            GroupMemory memory,
            int tokenBudget,
            EpochLengths epoch,
            int longestSample,
            double deviation,
            double meanParameters) {

        static Conditions of(
                GroupMemory memory,
                int tokenBudget,
                EpochLengths epoch,
                int longestEvaluated,
                List<TrialState> trials) {
            double parameters =
                    trials.stream().mapToLong(TrialState::parameters).average().orElseThrow();
            return new Conditions(
                    memory,
                    tokenBudget,
                    epoch,
                    Math.max(epoch.longest(), longestEvaluated),
                    epoch.deviation(),
                    parameters);
        }
    }

    SweepState(List<TrialState> trials, List<DeviceState> devices, GroupTime time, Conditions conditions) {
        this.trials = trials.toArray(TrialState[]::new);
        this.conditions = conditions;
        this.time = time;
        groupOfTrial = new int[this.trials.length];
        Arrays.fill(groupOfTrial, -1);
        waiting.addAll(trials);
        unfinished.addAll(trials);
        samplesLeft = trials.stream().mapToLong(TrialState::samplesLeft).sum();
        devices.forEach(device -> this.devices.put(device.index(), device));
        freeDevices.putAll(this.devices);
        speeds = sumOfSpeeds();
    }

    private double sumOfSpeeds() {
        return devices.values().stream().mapToDouble(DeviceState::speed).sum();
    }

    /** All trials, by index. */
    public List<TrialState> trials() {
        return Collections.unmodifiableList(Arrays.asList(trials));
    }

    /** @throws NoSuchElementException if there is none */
    public TrialState trial(int index) {
        if (index < 0 || index >= trials.length) {
            throw new NoSuchElementException("There is no trial (%d); there are (%d).".formatted(index, trials.length));
        }
        return trials[index];
    }

    /** Open groups, by id. */
    public Collection<GroupState> groups() {
        return Collections.unmodifiableCollection(groups.values());
    }

    /** @throws NoSuchElementException if it is not open */
    public GroupState group(int id) {
        GroupState group = groups.get(id);
        if (group == null) {
            throw new NoSuchElementException("Group (%d) is not open.".formatted(id));
        }
        return group;
    }

    /** All devices that work, by index. */
    public Collection<DeviceState> devices() {
        return Collections.unmodifiableCollection(devices.values());
    }

    /** @throws NoSuchElementException if there is none */
    public DeviceState device(int index) {
        DeviceState device = devices.get(index);
        if (device == null) {
            throw new NoSuchElementException("There is no device (%d).".formatted(index));
        }
        return device;
    }

    /** The group of a trial, null if it waits or has ended. */
    public @Nullable GroupState groupOf(int trial) {
        return groups.get(groupOfTrial[trial]);
    }

    /** Trials in no group: the longest chain first, then by index. */
    public NavigableSet<TrialState> waiting() {
        return Collections.unmodifiableNavigableSet(waiting);
    }

    /** Groups between two iterations, which is when a policy may change them, by id. */
    public List<GroupState> idleGroups() {
        return ImmutableList.copyOf(idleGroups.values());
    }

    boolean isOpen(int group) {
        return groups.containsKey(group);
    }

    /** Whether a group of so many devices is open. */
    boolean isInUse(int degree) {
        return degreesInUse.contains(degree);
    }

    /** Devices that belong to no group, by index. */
    public Collection<DeviceState> freeDevices() {
        return Collections.unmodifiableCollection(freeDevices.values());
    }

    boolean isFree(int device) {
        return freeDevices.containsKey(device);
    }

    /** Whether every trial has ended. */
    public boolean isDone() {
        return unfinished.isEmpty();
    }

    /** How many trials have not ended. */
    public int open() {
        return unfinished.size();
    }

    /** Trials that have not ended: the longest chain first, then by index. */
    public NavigableSet<TrialState> unfinished() {
        return Collections.unmodifiableNavigableSet(unfinished);
    }

    /** What trials cost; the same until a device fails or times are corrected. */
    Rates rates() {
        if (rates == null) {
            rates = new Rates(this);
        }
        return rates;
    }

    /** How many devices trials should have. */
    DegreeChoice degrees() {
        if (degrees == null) {
            degrees = new DegreeChoice(this);
        }
        return degrees;
    }

    /**
     * Seconds that trials and groups have left.
     *
     * @param chains degree that the longest chain asks for
     */
    TimeLeft timeLeft(int chains) {
        if (timeLeft == null || timeLeft.chains() != chains) {
            timeLeft = new TimeLeft(this, chains);
        }
        return timeLeft;
    }

    /** Speed of all devices together. */
    double speeds() {
        return speeds;
    }

    /** Samples that all trials that have not ended lack. */
    public long samplesLeft() {
        return samplesLeft;
    }

    /** Whether so few trials wait that groups have to share what is left. */
    boolean isNearEnd() {
        return isNearEnd(waiting.size());
    }

    /** Whether it would be so if another number of trials waited. */
    boolean isNearEnd(int waitingTrials) {
        return waitingTrials < 2 * devices.size();
    }

    /**
     * Samples that the next iteration of a group takes of each trial, where there are any.
     *
     * @throws NoSuchElementException if the group is not open, or in no iteration
     */
    public SortedMap<Integer, Integer> nextIteration(int id) {
        GroupState group = group(id);
        Stretch stretch = group.stretch();
        if (stretch == null) {
            throw new NoSuchElementException("Group (%d) is in no iteration.".formatted(id));
        }
        StretchWalk walk = new StretchWalk(this, group, stretch);
        walk.next();
        return walk.samples();
    }

    /** Id of the next group that opens. */
    public int nextGroup() {
        return nextGroup;
    }

    /** Most tokens of an iteration, unless it is a single sample. */
    public int tokenBudget() {
        return conditions.tokenBudget();
    }

    /** Samples of an epoch. */
    public int samples() {
        return conditions.epoch().samples();
    }

    /** Tokens of the longest sample. */
    public int longestSample() {
        return conditions.longestSample();
    }

    /** Mean tokens of a sample. */
    public double meanTokens() {
        return (double) conditions.epoch().tokens() / samples();
    }

    /** Standard deviation of a sample's tokens. */
    double deviation() {
        return conditions.deviation();
    }

    /** Mean parameters of an adapter. */
    double meanParameters() {
        return conditions.meanParameters();
    }

    /** Mean pairs of a query and a key of a sample. */
    public double meanPairs() {
        return conditions.epoch().pairs() / samples();
    }

    /** What groups hold. */
    public GroupMemory memory() {
        return conditions.memory();
    }

    /** How long iterations take on devices of speed 1. */
    public GroupTime time() {
        return time;
    }

    /** What a group of these devices may hold on each of them: the smallest one counts. */
    public long memoryOf(List<Integer> devices) {
        long least = Long.MAX_VALUE;
        for (int device : devices) {
            least = Math.min(least, device(device).memoryBytes());
        }
        return least;
    }

    /** How fast a group of these devices is: as its slowest one. */
    public double speedOf(List<Integer> devices) {
        double least = Double.MAX_VALUE;
        for (int device : devices) {
            least = Math.min(least, device(device).speed());
        }
        return least;
    }

    void set(TrialState trial) {
        TrialState before = trials[trial.index()];
        if (before.phase() == Phase.WAITING) {
            waiting.remove(before);
        }
        if (trial.phase() == Phase.WAITING) {
            waiting.add(trial);
        }
        unfinished.remove(before);
        samplesLeft -= before.samplesLeft();
        if (trial.phase() != Phase.ENDED) {
            unfinished.add(trial);
            samplesLeft += trial.samplesLeft();
        }
        trials[trial.index()] = trial;
        if (timeLeft != null) {
            timeLeft.changed(before, trial, groupOfTrial[trial.index()]);
        }
    }

    void join(int trial, int group) {
        groupOfTrial[trial] = group;
        set(trials[trial].withPhase(Phase.RUNNING));
    }

    void leave(int trial, Phase phase) {
        groupOfTrial[trial] = -1;
        set(trials[trial].withPhase(phase));
    }

    void set(GroupState group) {
        groups.put(group.id(), group);
        if (group.isIterating()) {
            idleGroups.remove(group.id());
        } else {
            idleGroups.put(group.id(), group);
        }
        if (timeLeft != null) {
            timeLeft.changed(group.id());
        }
    }

    void opened(GroupState group) {
        nextGroup++;
        set(group);
        degreesInUse.add(group.degree());
        group.devices().forEach(freeDevices::remove);
    }

    void close(GroupState group) {
        groups.remove(group.id());
        idleGroups.remove(group.id());
        degreesInUse.remove(group.degree());
        if (timeLeft != null) {
            timeLeft.changed(group.id());
        }
        group.devices().forEach(device -> freeDevices.put(device, device(device)));
    }

    void remove(int device) {
        devices.remove(device);
        freeDevices.remove(device);
        forgetCosts();
    }

    void setTime(GroupTime corrected) {
        time = corrected;
        forgetCosts();
    }

    private void forgetCosts() {
        rates = null;
        degrees = null;
        timeLeft = null;
        speeds = sumOfSpeeds();
    }
}
