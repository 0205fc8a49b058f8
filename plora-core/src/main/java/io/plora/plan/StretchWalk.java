package io.plora.plan;

import io.plora.cost.GroupMemory;
import io.plora.cost.GroupWork;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** Walks through the iterations of a group, one after the other: what each of them takes of its members. */
final class StretchWalk {
    private static final Comparator<TrialState> SMALLEST_BATCH_FIRST = Comparator.<TrialState>comparingInt(
                    trial -> trial.config().batchSize())
            .thenComparingInt(TrialState::index);

    private final List<TrialState> trials;
    private final boolean filled;
    private final int tokenBudget;
    private final long memoryLimit;
    private final long memberBytes;
    private final EpochLengths[] lengths;
    private final int[] batches;
    private final int[] shares;
    private final long[] tokenBytes;
    private final int[] positions;
    private final int[] taken;
    private final int[] participations;
    private final long[] sums;
    private int samples;
    private long tokens;
    private long bytes;

    /**
     * @param members indices of all members
     * @param shares most samples of those that take part
     * @param filled see {@link Action.Iterate}
     */
    StretchWalk(
            SweepState state,
            List<Integer> devices,
            Collection<Integer> members,
            SortedMap<Integer, Integer> shares,
            boolean filled) {
        GroupMemory memory = state.memory();
        int degree = devices.size();
        this.filled = filled;
        tokenBudget = state.tokenBudget();
        memoryLimit = state.memoryOf(devices);
        long adapters = 0;
        for (int member : members) {
            adapters += memory.adapterBytes(state.trial(member).config(), degree);
        }
        memberBytes = memory.baseBytes(degree) + adapters;
        trials = shares.keySet().stream()
                .map(state::trial)
                .sorted(SMALLEST_BATCH_FIRST)
                .toList();
        int count = trials.size();
        lengths = new EpochLengths[count];
        batches = new int[count];
        this.shares = new int[count];
        tokenBytes = new long[count];
        positions = new int[count];
        taken = new int[count];
        participations = new int[count];
        sums = new long[count];
        for (int i = 0; i < count; i++) {
            TrialState trial = trials.get(i);
            lengths[i] = trial.epochLengths();
            batches[i] = trial.config().batchSize();
            this.shares[i] = shares.get(trial.index());
            tokenBytes[i] = memory.tokenBytes(trial.config(), degree);
            positions[i] = trial.position();
        }
    }

    /** A stretch in progress. */
    StretchWalk(SweepState state, GroupState group, Stretch stretch) {
        this(state, group.devices(), group.members(), stretch.samples(), stretch.filled());
    }

    /**
     * Takes the samples of the next iteration.
     *
     * @return false if it is impossible: it exceeds memory or the token budget, or no sample fits
     */
    boolean next() {
        samples = 0;
        tokens = 0;
        bytes = memberBytes;
        for (int i = 0; i < taken.length; i++) {
            take(i);
        }
        return samples > 0 && isPossible(tokens, bytes, samples);
    }

    private void take(int trial) {
        int from = positions[trial];
        int end = Math.min(
                Math.min(lengths[trial].samples(), (from / batches[trial] + 1) * batches[trial]), from + shares[trial]);
        int to = from;
        long before = tokens;
        while (to < end) {
            int length = lengths[trial].get(to);
            long more = length * tokenBytes[trial];
            if (filled && !isPossible(tokens + length, bytes + more, samples + 1)) {
                break;
            }
            tokens += length;
            bytes += more;
            samples++;
            to++;
        }
        positions[trial] = to;
        taken[trial] = to - from;
        sums[trial] += tokens - before;
        participations[trial] += to > from ? 1 : 0;
    }

    private boolean isPossible(long allTokens, long allBytes, int allSamples) {
        return allBytes <= memoryLimit && (allTokens <= tokenBudget || allSamples == 1);
    }

    /** Whether a trial that takes part has done its epoch. */
    boolean isAnyAtEnd() {
        for (int i = 0; i < positions.length; i++) {
            if (positions[i] == lengths[i].samples()) {
                return true;
            }
        }
        return false;
    }

    /** Work of all iterations so far. */
    GroupWork work() {
        GroupWork work = GroupWork.NONE;
        for (int i = 0; i < positions.length; i++) {
            TrialState trial = trials.get(i);
            int steps = batchesEnded(trial.position(), positions[i], batches[i], lengths[i].samples());
            work = work.plus(new GroupWork(
                    sums[i],
                    positions[i] - trial.position(),
                    lengths[i].pairs(trial.position(), positions[i]),
                    participations[i],
                    (double) participations[i] * trial.parameters(),
                    2.0 * sums[i] * trial.parameters(),
                    (double) steps * trial.parameters()));
        }
        return work;
    }

    private static int batchesEnded(int from, int to, int batch, int samples) {
        return (to == samples ? (samples + batch - 1) / batch : to / batch) - from / batch;
    }

    /** Tokens of the iteration. */
    long tokens() {
        return tokens;
    }

    /** Bytes of the iteration on each device. */
    long bytes() {
        return bytes;
    }

    /** Samples of the iteration by trial, where there are any. */
    SortedMap<Integer, Integer> samples() {
        SortedMap<Integer, Integer> result = new TreeMap<>();
        for (int i = 0; i < taken.length; i++) {
            if (taken[i] > 0) {
                result.put(trials.get(i).index(), taken[i]);
            }
        }
        return result;
    }

    /** Samples of the epoch that each trial has done, by trial. */
    SortedMap<Integer, Integer> positions() {
        SortedMap<Integer, Integer> result = new TreeMap<>();
        for (int i = 0; i < positions.length; i++) {
            result.put(trials.get(i).index(), positions[i]);
        }
        return result;
    }
}
