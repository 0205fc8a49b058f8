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
    /** Standard deviations that an iteration of samples of different lengths may exceed its mean by, without a new decision. */
    private static final double MARGIN = 3;

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
        return samples > 0
                && ((samples + 1) * state.meanTokens() > mostTokens * (1 + 1e-9)
                        || memberBytes + sampleBytes >= memoryLimit);
    }

    /** Whether one sample more of a trial fits an iteration, with the trial's adapter if it is no member yet. */
    boolean fits(TrialState trial, boolean member) {
        double bytes = member ? memberBytes : memberBytes + (double) adapterBytes(trial);
        if (samples == 0) {
            return true; // what holds() says
        }
        long tokenBytes = tokenBytes(trial);
        double tokens = plannedTokens(state, samples + 1);
        double spread = tokens - (samples + 1) * state.meanTokens();
        double planned =
                sampleBytes + state.meanTokens() * tokenBytes + spread * Math.max(dearestTokenBytes, tokenBytes);
        return bytes + planned <= memoryLimit
                && tokens <= state.tokenBudget()
                && (samples + 1) * state.meanTokens() <= mostTokens * (1 + 1e-9);
    }

    /** Tokens that so many samples hardly ever exceed. */
    static double plannedTokens(SweepState state, int samples) {
        return Math.min(
                samples * state.meanTokens() + MARGIN * state.deviation() * Math.sqrt(samples),
                (double) samples * state.longestSample());
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

    /** Where an iteration does not fit, the last member goes without. */
    private void dropLast(Comparator<TrialState> order) {
        members.stream()
                .filter(member -> shares.containsKey(member.index()))
                .max(order)
                .ifPresent(member -> {
                    int share = shares.get(member.index());
                    if (share > 1) {
                        shares.put(member.index(), share - 1);
                    } else {
                        shares.remove(member.index());
                    }
                });
    }

    /** The iterations to run: as many as are possible and wanted with these shares, or one with fewer samples. */
    Action.Iterate iterate(int group, int wanted, Comparator<TrialState> order) {
        List<Integer> indices = members.stream().map(TrialState::index).toList();
        int most = wanted;
        while (!shares.isEmpty()) {
            int repeat = Math.max(1, Math.min(most, iterationsLeft()));
            int possible = new StretchScan(state, degree(), indices, shares, repeat).possible(memoryLimit);
            if (possible > 0) {
                return new Action.Iterate(group, shares, possible);
            }
            dropLast(order);
            most = 1;
        }
        throw new IllegalStateException(
                "No sample of the members %s of group (%d) fits in (%s), though each was let in. Maybe raise the memory."
                        .formatted(indices, group, Bytes.toText(memoryLimit)));
    }

    /** Until the first member that takes part ends its epoch. */
    int iterationsLeft() {
        int least = Integer.MAX_VALUE;
        for (TrialState member : members) {
            Integer share = shares.get(member.index());
            if (share != null) {
                least = Math.min(least, member.iterationsLeftInEpoch(share));
            }
        }
        return least;
    }

    private long adapterBytes(TrialState trial) {
        return memory.adapterBytes(trial.config(), degree());
    }

    private long tokenBytes(TrialState trial) {
        return memory.tokenBytes(trial.config(), degree());
    }
}
