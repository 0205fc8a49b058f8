package io.plora.plan;

import io.plora.cost.GroupMemory;
import io.plora.cost.GroupWork;
import java.util.Arrays;
import java.util.Collection;
import java.util.SortedMap;

/** Looks through the iterations of a stretch: how many tokens and bytes each of them takes, and what they are on average. */
final class StretchScan {
    private final SweepState state;
    private final SortedMap<Integer, Integer> shares;
    private final int degree;
    private final long memberBytes;
    private final int[] samples;
    private final long[] tokens;
    private final long[] tokenBytes;
    private GroupWork work = GroupWork.NONE;

    /**
     * @param members indices of all members
     * @param shares most samples of those that take part
     * @param repeat iterations, none of them beyond the epoch of a member that takes part
     */
    StretchScan(
            SweepState state, int degree, Collection<Integer> members, SortedMap<Integer, Integer> shares, int repeat) {
        this.state = state;
        this.shares = shares;
        this.degree = degree;
        samples = new int[repeat];
        tokens = new long[repeat];
        tokenBytes = new long[repeat];
        memberBytes = state.memory().baseBytes(degree)
                + members.stream()
                        .mapToLong(member ->
                                state.memory().adapterBytes(state.trial(member).config(), degree))
                        .sum();
        shares.forEach((trial, share) -> add(state.trial(trial), share));
    }

    private void add(TrialState trial, int share) {
        GroupMemory memory = state.memory();
        long bytes = memory.tokenBytes(trial.config(), degree);
        MicroBatches parts = trial.microBatches(share);
        EpochLengths lengths = trial.epochLengths();
        int position = trial.position();
        long sum = 0;
        for (int i = 0; i < tokens.length; i++) {
            int next = parts.next(position);
            long part = lengths.tokens(position, next);
            samples[i] += next - position;
            tokens[i] += part;
            tokenBytes[i] += part * bytes;
            sum += part;
            position = next;
        }
        double repeat = tokens.length;
        work = work.plus(GroupWork.of(
                trial.parameters(),
                sum / repeat,
                (position - trial.position()) / repeat,
                lengths.pairs(trial.position(), position) / repeat,
                parts.batchesEnded(trial.position(), position) / repeat));
    }

    /** How many of the iterations from the first on stay within memory and token budget. */
    int possible(long memoryLimit) {
        for (int i = 0; i < tokens.length; i++) {
            if (memberBytes + tokenBytes[i] > memoryLimit || tokens[i] > state.tokenBudget() && samples[i] > 1) {
                return i;
            }
        }
        return tokens.length;
    }

    /** Bytes of an iteration on each device. */
    long bytes(int iteration) {
        return memberBytes + tokenBytes[iteration];
    }

    long tokens(int iteration) {
        return tokens[iteration];
    }

    /** The whole stretch. */
    Stretch stretch() {
        return new Stretch(
                shares,
                tokens.length,
                work,
                Arrays.stream(tokens).sum(),
                Arrays.stream(tokens).max().orElseThrow(),
                memberBytes + Arrays.stream(tokenBytes).max().orElseThrow());
    }
}
