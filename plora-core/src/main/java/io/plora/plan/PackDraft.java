package io.plora.plan;

import io.plora.cost.Bytes;
import io.plora.cost.GroupMemory;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** A group while {@link ContinuousPacking} decides about it: who is in it, and how many samples of each an iteration takes. */
final class PackDraft {
    private final SweepState state;
    private final List<Integer> devices;
    private final GroupMemory memory;
    private final long memoryLimit;
    private final double mostTokens;
    private final List<TrialState> members = new ArrayList<>();
    private final SortedMap<Integer, Integer> shares = new TreeMap<>();
    private long memberBytes;
    private long dearestTokenBytes;
    private double sampleBytes;
    private int samples;

    /** @param mostTokens of an iteration, on average; a single sample may have more */
    PackDraft(SweepState state, List<Integer> devices, double mostTokens) {
        this.state = state;
        this.devices = devices;
        this.mostTokens = mostTokens;
        memory = state.memory();
        memoryLimit = state.memoryOf(devices);
        memberBytes = memory.baseBytes(devices.size());
    }

    List<Integer> devices() {
        return devices;
    }

    int degree() {
        return devices.size();
    }

    List<TrialState> members() {
        return members;
    }

    SortedMap<Integer, Integer> shares() {
        return shares;
    }

    int samples() {
        return samples;
    }

    /** Whether a trial fits beside the members, whatever samples come. */
    boolean holds(TrialState trial) {
        long dearest = Math.max(dearestTokenBytes, tokenBytes(trial));
        return memberBytes + adapterBytes(trial) + dearest * state.longestSample() <= memoryLimit;
    }

    /** Whether not even one sample more fits an iteration, whoever's it is. */
    boolean isFull() {
        return samples > 0 && (!isMoreWanted() || memberBytes + sampleBytes >= memoryLimit);
    }

    /** Whether an iteration of one sample more, of mean length, would still be no larger than it should be. */
    private boolean isMoreWanted() {
        return (samples + 1) * state.meanTokens() <= mostTokens * (1 + 1e-9);
    }

    /** Whether one sample more of a trial fits an iteration, with the trial's adapter if it is no member yet. */
    boolean fits(TrialState trial, boolean member) {
        if (samples == 0) {
            return true; // what holds() says
        }
        double bytes = member ? memberBytes : memberBytes + (double) adapterBytes(trial);
        return isMoreWanted()
                && (samples + 1) * state.meanTokens() <= state.tokenBudget()
                && bytes + sampleBytes + state.meanTokens() * tokenBytes(trial) <= memoryLimit;
    }

    void join(TrialState trial) {
        members.add(trial);
        memberBytes += adapterBytes(trial);
        dearestTokenBytes = Math.max(dearestTokenBytes, tokenBytes(trial));
    }

    /** Gives a member as many samples as fit, in equal parts of its batch; none if not even one fits. */
    void fill(TrialState trial) {
        int batch = trial.config().batchSize();
        int before = shares.getOrDefault(trial.index(), 0);
        int most = before;
        while (most < batch && fits(trial, true)) {
            take(trial, 1);
            most++;
        }
        if (most > 0) {
            int parts = (batch + most - 1) / most;
            int share = (batch + parts - 1) / parts;
            take(trial, share - most);
            shares.put(trial.index(), share);
        }
    }

    /** Gives all members samples, in some order of preference; as none should hold its memory idle, each gets one first. */
    void fillAll(Comparator<TrialState> order) {
        List<TrialState> ordered = members.stream().sorted(order).toList();
        for (TrialState member : ordered) {
            if (fits(member, true)) {
                take(member, 1);
                shares.put(member.index(), 1);
            }
        }
        ordered.forEach(this::fill);
    }

    private void take(TrialState trial, int count) {
        samples += count;
        sampleBytes += count * state.meanTokens() * tokenBytes(trial);
    }

    /**
     * The iterations to run, at most until the first member that takes part ends its epoch. They take as many samples as fit;
     * where memory or token budget ends before there are as many as wanted, all that fit.
     */
    Action.Iterate iterate(int group, int most) {
        List<Integer> indices = members.stream().map(TrialState::index).toList();
        if (isMoreWanted()) {
            members.forEach(member -> shares.put(member.index(), member.config().batchSize()));
        }
        int possible = new StretchScan(state, devices, indices, shares, true, most).possible();
        if (possible == 0) {
            throw new IllegalStateException(
                    "No sample of the members %s of group (%d) fits in (%s), though each was let in. Maybe raise the memory."
                            .formatted(indices, group, Bytes.toText(memoryLimit)));
        }
        return new Action.Iterate(group, shares, possible, true);
    }

    private long adapterBytes(TrialState trial) {
        return memory.adapterBytes(trial.config(), degree());
    }

    private long tokenBytes(TrialState trial) {
        return memory.tokenBytes(trial.config(), degree());
    }
}
