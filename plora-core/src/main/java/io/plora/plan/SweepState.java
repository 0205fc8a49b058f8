package io.plora.plan;

import com.google.common.collect.ImmutableList;
import io.plora.cost.GroupMemory;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * All that a policy may look at: a snapshot of a sweep.
 *
 * @param trials by index
 * @param groups open groups, by id
 * @param devices all devices
 * @param tokenBudget most tokens of an iteration, unless it is a single sample
 * @param longestSample length in tokens of the longest sample
 * @param nextGroup id of the next group that opens
 * @param memory what groups cost
 */
public record SweepState(
        List<TrialState> trials,
        List<GroupState> groups,
        List<DeviceState> devices,
        int tokenBudget,
        int longestSample,
        int nextGroup,
        GroupMemory memory) {

    public SweepState {
        trials = ImmutableList.copyOf(trials);
        groups = ImmutableList.copyOf(groups);
        devices = ImmutableList.copyOf(devices);
    }

    /** @throws NoSuchElementException if there is none */
    public TrialState trial(int index) {
        if (index < 0 || index >= trials.size()) {
            throw new NoSuchElementException("There is no trial (%d); there are (%d).".formatted(index, trials.size()));
        }
        return trials.get(index);
    }

    /** @throws NoSuchElementException if it is not open */
    public GroupState group(int id) {
        return groups.stream()
                .filter(group -> group.id() == id)
                .findFirst()
                .orElseThrow(() -> new NoSuchElementException("Group (%d) is not open.".formatted(id)));
    }

    /** @throws NoSuchElementException if there is none */
    public DeviceState device(int index) {
        return devices.stream()
                .filter(device -> device.index() == index)
                .findFirst()
                .orElseThrow(() -> new NoSuchElementException("There is no device (%d).".formatted(index)));
    }

    /** The group of a trial, null if it waits or has ended. */
    @Nullable GroupState groupOf(int trial) {
        return groups.stream()
                .filter(group -> group.members().contains(trial))
                .findFirst()
                .orElse(null);
    }

    /** Trials in no group, by index. */
    public List<TrialState> waiting() {
        return trials.stream().filter(trial -> trial.phase() == Phase.WAITING).toList();
    }

    /** Groups between two iterations, which is when a policy may change them. */
    public List<GroupState> idleGroups() {
        return groups.stream().filter(group -> !group.isIterating()).toList();
    }

    /** Devices that belong to no group. */
    public List<DeviceState> freeDevices() {
        Set<Integer> taken = new HashSet<>();
        groups.forEach(group -> taken.addAll(group.devices()));
        return devices.stream()
                .filter(device -> !taken.contains(device.index()))
                .toList();
    }

    /** Whether every trial has ended. */
    public boolean isDone() {
        return trials.stream().allMatch(trial -> trial.phase() == Phase.ENDED);
    }

    /** What a group of these devices may hold: every device holds the whole group, so the smallest one counts. */
    long memoryOf(List<Integer> devices) {
        return devices.stream()
                .mapToLong(device -> device(device).memoryBytes())
                .min()
                .orElseThrow();
    }

    SweepState with(TrialState changed) {
        return withTrials(Map.of(changed.index(), changed));
    }

    SweepState withTrials(Map<Integer, TrialState> changed) {
        return withTrials(trials.stream()
                .map(trial -> changed.getOrDefault(trial.index(), trial))
                .toList());
    }

    SweepState with(GroupState changed) {
        return withGroups(
                groups.stream()
                        .map(group -> group.id() == changed.id() ? changed : group)
                        .toList(),
                nextGroup);
    }

    SweepState withOpened(List<Integer> devices) {
        return withGroups(
                ImmutableList.<GroupState>builder()
                        .addAll(groups)
                        .add(GroupState.open(nextGroup, devices))
                        .build(),
                nextGroup + 1);
    }

    SweepState withoutGroup(int id) {
        return withGroups(groups.stream().filter(group -> group.id() != id).toList(), nextGroup);
    }

    private SweepState withTrials(List<TrialState> trials) {
        return new SweepState(trials, groups, devices, tokenBudget, longestSample, nextGroup, memory);
    }

    private SweepState withGroups(List<GroupState> groups, int nextGroup) {
        return new SweepState(trials, groups, devices, tokenBudget, longestSample, nextGroup, memory);
    }
}
