package io.plora.plan;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.space.LoraConfig;
import java.util.stream.IntStream;

/** Walks through the samples of a trial: epochs, and within them batches, of which the last of an epoch may be short. */
final class TrialCursor {
    private final int index;
    private final LoraConfig config;
    private final int epochs;
    private final int samples;
    private final int longestSample;
    private final SampleLengths source;
    private int epoch;
    private ImmutableIntArray lengths;
    private int position;

    TrialCursor(int index, LoraConfig config, int epochs, int samples, int longestSample, SampleLengths source) {
        this.index = index;
        this.config = config;
        this.epochs = epochs;
        this.samples = samples;
        this.longestSample = longestSample;
        this.source = source;
        lengths = read(0);
    }

    private ImmutableIntArray read(int epoch) {
        int[] read = source.lengths(index, epoch);
        if (read.length != samples) {
            throw new IllegalArgumentException(
                    "Trial (%d, %s) has (%d) samples in epoch (%d), the first trial has (%d)."
                            .formatted(index, config.id(), read.length, epoch, samples));
        }
        IntStream.of(read)
                .filter(length -> length < 1 || length > longestSample)
                .findFirst()
                .ifPresent(length -> {
                    throw new IllegalArgumentException(
                            "Trial (%d, %s) has a sample of (%d) tokens in epoch (%d), the first trial's have from 1 to (%d)."
                                    .formatted(index, config.id(), length, epoch, longestSample));
                });
        return ImmutableIntArray.copyOf(read);
    }

    /** Takes the first samples, of any number of epochs, as done. */
    void skip(long done) {
        if (done < 0 || done >= (long) epochs * samples) {
            throw new IllegalArgumentException("Trial (%d, %s) cannot start with (%d) of its (%d) samples done."
                    .formatted(index, config.id(), done, (long) epochs * samples));
        }
        epoch = (int) (done / samples);
        position = (int) (done % samples);
        lengths = read(epoch);
    }

    boolean isAtEnd() {
        return epoch == epochs;
    }

    void advance(int count) {
        position += count;
        if (position == samples) {
            epoch++;
            position = 0;
            lengths = isAtEnd() ? ImmutableIntArray.of() : read(epoch);
        }
    }

    TrialState state(Phase phase) {
        int batch = config.batchSize();
        int batchEnd = (int) Math.min(samples, (position / batch + 1L) * batch);
        long stepsAnEpoch = (samples + batch - 1L) / batch;
        return new TrialState(
                index,
                config,
                phase,
                (long) epoch * samples + position,
                (long) epochs * samples,
                (epochs - epoch) * stepsAnEpoch - position / batch,
                isAtEnd() ? lengths : lengths.subArray(position, batchEnd));
    }
}
