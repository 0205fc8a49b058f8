package io.plora.plan;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.cost.GroupWork;
import io.plora.space.LoraConfig;
import java.util.Comparator;

/** A trial as a policy sees it. */
public final class TrialState {
    /** The order in which chains of optimizer steps become urgent. */
    static final Comparator<TrialState> LONGEST_CHAIN_FIRST = (left, right) -> left.stepsLeft == right.stepsLeft
            ? Integer.compare(left.index(), right.index())
            : Long.compare(right.stepsLeft, left.stepsLeft);

    private final Fixed fixed;
    private final Phase phase;
    private final int epoch;
    private final int position;
    private final EpochLengths lengths;
    private final long stepsLeft;

    /**
     * What does not change.
     *
     * @param index of the trial
     * @param parameters of its adapter
     * @param epochs passes over the samples
     * @param kind number of its kind: trials of a kind differ in nothing that time and memory depend on
     */
    record Fixed(int index, LoraConfig config, long parameters, int epochs, int kind) {}

    /** @param lengths of the epoch, or of the last one at the end */
    TrialState(Fixed fixed, Phase phase, int epoch, int position, EpochLengths lengths) {
        this.fixed = fixed;
        this.phase = phase;
        this.epoch = epoch;
        this.position = position;
        this.lengths = lengths;
        int batch = fixed.config().batchSize();
        long stepsAnEpoch = (lengths.samples() + batch - 1L) / batch;
        stepsLeft = (fixed.epochs() - epoch) * stepsAnEpoch - position / batch;
    }

    TrialState withPhase(Phase phase) {
        return new TrialState(fixed, phase, epoch, position, lengths);
    }

    /** Position among the sweep's trials. */
    public int index() {
        return fixed.index();
    }

    /** What it trains. */
    public LoraConfig config() {
        return fixed.config();
    }

    /** Parameters of its adapter. */
    public long parameters() {
        return fixed.parameters();
    }

    int kind() {
        return fixed.kind();
    }

    /** Where it is. */
    public Phase phase() {
        return phase;
    }

    /** Samples trained so far, over all epochs. */
    public long samplesDone() {
        return (long) epoch * lengths.samples() + position;
    }

    /** Samples of all epochs. */
    public long samplesTotal() {
        return (long) fixed.epochs() * lengths.samples();
    }

    public long samplesLeft() {
        return samplesTotal() - samplesDone();
    }

    /** Optimizer steps that it lacks, the open batch's included: its chain, which no packing shortens. */
    public long stepsLeft() {
        return stepsLeft;
    }

    /** Lengths in tokens of the samples that its open batch still lacks, in order; empty only at the end. */
    public ImmutableIntArray nextLengths() {
        ImmutableIntArray.Builder next = ImmutableIntArray.builder();
        for (int i = position; i < position + lacking(); i++) {
            next.add(lengths.get(i));
        }
        return next.build();
    }

    /** Samples that its open batch still lacks, 0 only at the end. */
    public int lacking() {
        if (isAtEnd()) {
            return 0;
        }
        int batch = config().batchSize();
        return (int) Math.min(lengths.samples(), (position / batch + 1L) * batch) - position;
    }

    /** Tokens of a range of the samples that the open batch lacks. */
    public long tokens(int from, int to) {
        return lengths.tokens(position + from, position + to);
    }

    /** Work of an iteration that takes the next samples, at most those that its open batch lacks. */
    public GroupWork work(int samples) {
        return GroupWork.of(
                parameters(),
                tokens(0, samples),
                samples,
                lengths.pairs(position, position + samples),
                samples == lacking() ? 1 : 0);
    }

    /** Iterations until its epoch is done if each takes at most so many of its samples. */
    public int iterationsLeftInEpoch(int share) {
        return new MicroBatches(position, lengths.samples(), config().batchSize(), share).iterations();
    }

    boolean isAtEnd() {
        return epoch == fixed.epochs();
    }

    int position() {
        return position;
    }

    EpochLengths epochLengths() {
        return lengths;
    }

    @Override
    public String toString() {
        return "trial (%d, %s)".formatted(index(), config().id());
    }
}
