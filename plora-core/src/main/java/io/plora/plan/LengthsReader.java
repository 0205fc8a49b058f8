package io.plora.plan;

import org.jspecify.annotations.Nullable;

/** Reads and checks the lengths of epochs; trials that see the same array share it. */
final class LengthsReader {
    private final SampleLengths source;
    private final EpochLengths first;
    private @Nullable EpochLengths latest;

    LengthsReader(SampleLengths source) {
        this.source = source;
        first = new EpochLengths(source.lengths(0, 0));
        if (first.samples() == 0) {
            throw new IllegalArgumentException("There is no training sample.");
        }
    }

    /** The first trial's first epoch. */
    EpochLengths first() {
        return first;
    }

    EpochLengths read(TrialState.Fixed trial, int epoch) {
        int[] read = source.lengths(trial.index(), epoch);
        if (first.isOf(read)) {
            check(trial, epoch, first);
            return first;
        }
        if (latest == null || !latest.isOf(read)) {
            latest = new EpochLengths(read);
        }
        check(trial, epoch, latest);
        return latest;
    }

    private void check(TrialState.Fixed trial, int epoch, EpochLengths read) {
        if (read.samples() != first.samples()) {
            throw new IllegalArgumentException(
                    "Trial (%d, %s) has (%d) samples in epoch (%d), the first trial has (%d)."
                            .formatted(trial.index(), trial.config().id(), read.samples(), epoch, first.samples()));
        }
        for (int bound : new int[] {read.shortest(), read.longest()}) {
            if (bound < 1 || bound > first.longest()) {
                throw new IllegalArgumentException(
                        "Trial (%d, %s) has a sample of (%d) tokens in epoch (%d), the first trial's have from 1 to (%d)."
                                .formatted(trial.index(), trial.config().id(), bound, epoch, first.longest()));
            }
        }
    }
}
