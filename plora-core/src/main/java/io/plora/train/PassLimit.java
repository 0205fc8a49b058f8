package io.plora.train;

import io.plora.kernels.PackedBatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rows that one pass may have: any number until memory turns out to be smaller than planned, as another process has taken it.
 * Work that exceeds it takes several passes.
 */
final class PassLimit {
    private static final Logger LOGGER = LoggerFactory.getLogger(PassLimit.class);

    private int rows = Integer.MAX_VALUE;

    /** Whether a pass may grow by a sample; its first is always taken, as samples are not split. */
    boolean admits(int rowsSoFar, int more) {
        return rowsSoFar == 0 || rowsSoFar + more <= rows;
    }

    /**
     * Halves what a pass that found no memory had.
     *
     * @throws OutOfMemoryError the cause, if the pass is a single sample
     */
    void lower(PackedBatch batch, OutOfMemoryError cause) {
        if (batch.sequences() == 1) {
            throw cause;
        }
        rows = batch.rows() / 2;
        LOGGER.warn(
                "Memory does not hold a pass of {} tokens; passes of up to {} follow. {}",
                batch.rows(),
                rows,
                cause.getMessage());
    }

    /** Memory has been given back or moved: the next pass may try again. */
    void lift() {
        rows = Integer.MAX_VALUE;
    }
}
