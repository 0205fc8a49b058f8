package io.plora.plan;

import com.google.common.collect.Range;

/** Walks through the samples of a trial: epochs, and within them batches, of which the last of an epoch may be short. */
final class TrialCursor {
    private final TrialState.Fixed fixed;
    private final LengthsReader reader;
    private EpochLengths lengths;
    private int epoch;
    private int position;

    TrialCursor(TrialState.Fixed fixed, LengthsReader reader) {
        this.fixed = fixed;
        this.reader = reader;
        lengths = reader.read(fixed, 0);
    }

    /** Takes the first samples, of any number of epochs, as done. */
    void skip(long done) {
        long total = (long) fixed.epochs() * lengths.samples();
        if (!Range.closedOpen(0L, total).contains(done)) {
            throw new IllegalArgumentException("Trial (%d, %s) cannot start with (%d) of its (%d) samples done."
                    .formatted(fixed.index(), fixed.config().id(), done, total));
        }
        position = (int) (done % lengths.samples());
        epoch = (int) (done / lengths.samples());
        if (epoch > 0) {
            lengths = reader.read(fixed, epoch);
        }
    }

    boolean isAtEnd() {
        return epoch == fixed.epochs();
    }

    /** Does samples of the epoch up to a position. */
    void advanceTo(int end) {
        position = end;
        if (position == lengths.samples()) {
            epoch++;
            position = 0;
            if (!isAtEnd()) {
                lengths = reader.read(fixed, epoch);
            }
        }
    }

    /** Forgets what is done of the open batch. */
    void backToBatch() {
        position -= position % fixed.config().batchSize();
    }

    TrialState state(Phase phase) {
        return new TrialState(fixed, phase, epoch, position, lengths);
    }
}
