package io.plora.kernels;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The tokens of one pass, packed without padding: adapter by adapter, and within an adapter sequence by sequence.
 *
 * <p>A row is one token. Rows of adapter {@code a} are {@code adapterStart(a) .. adapterEnd(a) - 1}, possibly none; rows of
 * sequence {@code s} are {@code sequenceStart(s) .. sequenceEnd(s) - 1}, never across adapters. A row's position is its
 * distance from the start of its sequence. A sequence may have no rows.
 *
 * <p>Arrays are not copied: who made a batch leaves them as they are.
 */
public final class PackedBatch {
    private final int[] adapterStarts;
    private final int[] sequenceStarts;
    private final int[] tokens;
    private final int[] targets;
    private final float[] lossWeights;
    private final long @Nullable [] dropoutKeys;
    private final boolean[] gradientStarts;

    /**
     * @param adapterStarts first row of each adapter, then the number of rows (adapters + 1)
     * @param sequenceStarts first row of each sequence, then the number of rows (sequences + 1)
     * @param tokens token id of each row
     * @param targets token id that each row predicts, or -1 for none
     * @param lossWeights factor of each row's loss in its adapter's gradient
     * @param dropoutKeys key of each row's dropout masks (see {@link Dropout}), or null for no dropout (evaluation)
     * @throws IllegalArgumentException if arrays differ in length, starts do not rise to the number of rows, or a sequence
     *     crosses from one adapter to another
     */
    public PackedBatch(
            int[] adapterStarts,
            int[] sequenceStarts,
            int[] tokens,
            int[] targets,
            float[] lossWeights,
            long @Nullable [] dropoutKeys) {
        this(
                adapterStarts,
                sequenceStarts,
                tokens,
                targets,
                lossWeights,
                dropoutKeys,
                new boolean[Math.max(0, adapterStarts.length - 1)]);
    }

    /**
     * As the other constructor.
     *
     * @param gradientStarts for each adapter whether the backward pass starts its gradients anew, as the first part of an
     *     accumulated batch does, or adds to what is there
     */
    public PackedBatch(
            int[] adapterStarts,
            int[] sequenceStarts,
            int[] tokens,
            int[] targets,
            float[] lossWeights,
            long @Nullable [] dropoutKeys,
            boolean[] gradientStarts) {
        this.adapterStarts = requireStarts("adapterStarts", adapterStarts, tokens.length);
        this.sequenceStarts = requireStarts("sequenceStarts", sequenceStarts, tokens.length);
        requireNoneCrosses(sequenceStarts, adapterStarts);
        if (targets.length != tokens.length
                || lossWeights.length != tokens.length
                || (dropoutKeys != null && dropoutKeys.length != tokens.length)) {
            throw new IllegalArgumentException(
                    "Row arrays of different lengths: tokens (%d), targets (%d), lossWeights (%d), dropoutKeys (%s)."
                            .formatted(
                                    tokens.length,
                                    targets.length,
                                    lossWeights.length,
                                    dropoutKeys == null ? "none" : dropoutKeys.length));
        }
        this.tokens = tokens;
        this.targets = targets;
        this.lossWeights = lossWeights;
        this.dropoutKeys = dropoutKeys;
        if (gradientStarts.length != adapters()) {
            throw new IllegalArgumentException(
                    "gradientStarts has (%d) adapters, the batch (%d).".formatted(gradientStarts.length, adapters()));
        }
        this.gradientStarts = gradientStarts;
    }

    private static int[] requireStarts(String name, int[] starts, int rows) {
        boolean valid = starts.length > 0 && starts[0] == 0 && starts[starts.length - 1] == rows;
        for (int i = 1; i < starts.length && valid; i++) {
            valid = starts[i] >= starts[i - 1];
        }
        if (!valid) {
            throw new IllegalArgumentException("%s (%s) must rise from 0 to the number of rows (%d)."
                    .formatted(name, Arrays.toString(starts), rows));
        }
        return starts;
    }

    /** Attention within such a sequence would mix adapters. */
    private static void requireNoneCrosses(int[] sequenceStarts, int[] adapterStarts) {
        int sequence = 0;
        for (int adapterStart : adapterStarts) {
            while (sequenceStarts[sequence] < adapterStart) {
                sequence++;
            }
            if (sequenceStarts[sequence] != adapterStart) {
                throw new IllegalArgumentException(
                        "The sequence of rows [%d, %d) crosses into an adapter's first row (%d)."
                                .formatted(sequenceStarts[sequence - 1], sequenceStarts[sequence], adapterStart));
            }
        }
    }

    public int rows() {
        return tokens.length;
    }

    public int adapters() {
        return adapterStarts.length - 1;
    }

    public int adapterStart(int adapter) {
        return adapterStarts[adapter];
    }

    public int adapterEnd(int adapter) {
        return adapterStarts[adapter + 1];
    }

    /** Number of rows of an adapter. */
    public int adapterRows(int adapter) {
        return adapterEnd(adapter) - adapterStart(adapter);
    }

    /** Whether the backward pass overwrites an adapter's gradients; where it has no rows they stay as they are. */
    public boolean startsGradients(int adapter) {
        return gradientStarts[adapter] && adapterRows(adapter) > 0;
    }

    public int sequences() {
        return sequenceStarts.length - 1;
    }

    public int sequenceStart(int sequence) {
        return sequenceStarts[sequence];
    }

    public int sequenceEnd(int sequence) {
        return sequenceStarts[sequence + 1];
    }

    public int token(int row) {
        return tokens[row];
    }

    /** The token that a row predicts, or -1 for none. */
    public int target(int row) {
        return targets[row];
    }

    public float lossWeight(int row) {
        return lossWeights[row];
    }

    /** Whether dropout applies. */
    public boolean hasDropout() {
        return dropoutKeys != null;
    }

    /** Key of a row's dropout masks; only where {@link #hasDropout()}. */
    public long dropoutKey(int row) {
        if (dropoutKeys == null) {
            throw new IllegalStateException("This batch has no dropout keys: it is for evaluation.");
        }
        return dropoutKeys[row];
    }
}
