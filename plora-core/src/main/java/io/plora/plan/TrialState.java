package io.plora.plan;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.space.LoraConfig;

/**
 * A trial as a policy sees it.
 *
 * @param index position among the sweep's trials
 * @param config what it trains
 * @param phase where it is
 * @param samplesDone samples trained so far, over all epochs
 * @param samplesTotal samples of all epochs
 * @param stepsLeft optimizer steps that it lacks, the open batch's included: its chain, which no packing shortens
 * @param nextLengths lengths in tokens of the samples that its open batch still lacks, in order; empty only at the end
 */
public record TrialState(
        int index,
        LoraConfig config,
        Phase phase,
        long samplesDone,
        long samplesTotal,
        long stepsLeft,
        ImmutableIntArray nextLengths) {

    TrialState withPhase(Phase phase) {
        return new TrialState(index, config, phase, samplesDone, samplesTotal, stepsLeft, nextLengths);
    }

    /** Tokens of a range of the samples that the open batch lacks. */
    long tokens(int from, int to) {
        long tokens = 0;
        for (int i = from; i < to; i++) {
            tokens += nextLengths.get(i);
        }
        return tokens;
    }

    @Override
    public String toString() {
        return "trial (%d, %s)".formatted(index, config.id());
    }
}
