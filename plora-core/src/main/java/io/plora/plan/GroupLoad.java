package io.plora.plan;

import io.plora.cost.GroupMemory;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/** A group while a decision about it is made or checked: its members, the samples of its next iteration, what both take. */
final class GroupLoad {
    private final List<Integer> devices;
    private final int tokenBudget;
    private final int longestSample;
    private final GroupMemory memory;
    private final long memoryLimit;
    private final SortedSet<Integer> members = new TreeSet<>();
    private final SortedMap<Integer, Integer> samples = new TreeMap<>();
    private long memberBytes;
    private long dearestTokenBytes;
    private long sampleBytes;
    private long tokens;

    GroupLoad(SweepState state, List<Integer> devices) {
        this.devices = devices;
        tokenBudget = state.tokenBudget();
        longestSample = state.longestSample();
        memory = state.memory();
        memoryLimit = state.memoryOf(devices);
        memberBytes = memory.baseBytes(devices.size());
    }

    /** A group as it is, without samples. */
    static GroupLoad of(SweepState state, GroupState group) {
        GroupLoad load = new GroupLoad(state, group.devices());
        group.members().forEach(member -> load.join(state.trial(member)));
        return load;
    }

    List<Integer> devices() {
        return devices;
    }

    SortedSet<Integer> members() {
        return members;
    }

    /** Samples of each trial, where there are any. */
    SortedMap<Integer, Integer> samples() {
        return samples;
    }

    long tokens() {
        return tokens;
    }

    /** Bytes on each device. */
    long bytes() {
        return memberBytes + sampleBytes;
    }

    long memoryLimit() {
        return memoryLimit;
    }

    /** Bytes if a trial joined and the longest sample ran alone, for the member to which it costs most. */
    long bytesToGoOnWith(TrialState trial) {
        return memberBytes + adapterBytes(trial) + Math.max(dearestTokenBytes, tokenBytes(trial)) * longestSample;
    }

    /** Whether a trial and its next sample fit beside what is here, and every member can go on whatever comes. */
    boolean admits(TrialState trial) {
        long length = trial.tokens(0, 1);
        long added = adapterBytes(trial) + length * tokenBytes(trial);
        return bytesToGoOnWith(trial) <= memoryLimit && bytes() + added <= memoryLimit && isInBudget(length);
    }

    void join(TrialState trial) {
        members.add(trial.index());
        memberBytes += adapterBytes(trial);
        dearestTokenBytes = Math.max(dearestTokenBytes, tokenBytes(trial));
    }

    /** Takes the next sample of a member's open batch if there is one and it fits. */
    boolean takeNext(TrialState trial) {
        int taken = samples.getOrDefault(trial.index(), 0);
        if (taken == trial.lacking()) {
            return false;
        }
        long length = trial.tokens(taken, taken + 1);
        if (!isInBudget(length) || bytes() + length * tokenBytes(trial) > memoryLimit) {
            return false;
        }
        take(trial, 1);
        return true;
    }

    private boolean isInBudget(long length) {
        return samples.isEmpty() || tokens + length <= tokenBudget;
    }

    private void take(TrialState trial, int count) {
        int before = samples.getOrDefault(trial.index(), 0);
        long more = trial.tokens(before, before + count);
        samples.put(trial.index(), before + count);
        tokens += more;
        sampleBytes += more * tokenBytes(trial);
    }

    private long adapterBytes(TrialState trial) {
        return memory.adapterBytes(trial.config(), devices.size());
    }

    private long tokenBytes(TrialState trial) {
        return memory.tokenBytes(trial.config(), devices.size());
    }
}
