package io.plora.kernels.cpu;

import io.plora.kernels.Dropout;
import io.plora.kernels.LoraTerm;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One adapter's term on one part. Row numbers count from the adapter's first row.
 *
 * @param start the adapter's first row in the batch
 * @param kept factor of the gradients that are there already: 0 where the batch starts them anew, else 1
 * @param lowRank (rows, rank): {@code drop(x) A^T} going forward, its gradient going backward
 */
record LowRankPiece(
        PackedProjection.Part part, LoraTerm term, PackedBatch batch, int start, float kept, Matrix lowRank) {
    /** Rows of one piece of work. */
    static final int ROWS = 256;

    /** Columns of a gradient of A, and outputs of a gradient of B, of one piece of work. */
    private static final int COLUMNS = 512;

    List<Workers.Work> byRows(Workers.RangeWork work) {
        return Workers.cut(lowRank.rows(), ROWS, work);
    }

    List<Workers.Work> byInputs(Workers.RangeWork work) {
        return Workers.cut((int) term.a().dim(1), COLUMNS, work);
    }

    List<Workers.Work> byOutputs(Workers.RangeWork work) {
        return Workers.cut(part.outputs(), COLUMNS, work);
    }

    void forward(int from, int to, Matrix xs, Matrix ys, Scratch scratch) {
        Matrix input = dropped(xs, from, to, 0, xs.columns(), scratch);
        Matrix hidden = lowRank.rows(from, to);
        scratch.products().multiply(keepScale(), input, Matrix.of(term.a()).transpose(), 0, hidden);
        scratch.products()
                .multiply((float) term.scale(), hidden, Matrix.of(term.b()).transpose(), 1, outputs(ys, from, to));
    }

    /** {@code dS = scale dY B}. */
    void lowRankGradient(int from, int to, Matrix dYs, Scratch scratch) {
        scratch.products()
                .multiply((float) term.scale(), outputs(dYs, from, to), Matrix.of(term.b()), 0, lowRank.rows(from, to));
    }

    /** {@code dB = kept dB + scale dY^T S} for some outputs. */
    void addGradientB(int from, int to, Matrix dYs, Scratch scratch) {
        Matrix gradient = gradient(term.gradientB(), term.b()).rows(from, to);
        Matrix dY = outputs(dYs, 0, lowRank.rows()).columns(from, to);
        scratch.products().multiply((float) term.scale(), dY.transpose(), lowRank, kept, gradient);
    }

    /** {@code dA = kept dA + dS^T drop(x)} for some columns. */
    void addGradientA(int from, int to, Matrix xs, Scratch scratch) {
        Matrix gradient = gradient(term.gradientA(), term.a()).columns(from, to);
        if (!hasDropout()) {
            Matrix input = xs.rows(start, start + lowRank.rows()).columns(from, to);
            scratch.products().multiply(1, lowRank.transpose(), input, kept, gradient);
            return;
        }
        for (int row = 0; row < lowRank.rows(); row += ROWS) {
            int end = Math.min(lowRank.rows(), row + ROWS);
            Matrix input = dropped(xs, row, end, from, to, scratch);
            float beta = row == 0 ? kept : 1;
            scratch.products().multiply(keepScale(), lowRank.rows(row, end).transpose(), input, beta, gradient);
        }
    }

    /** {@code dX += drop(dS A)}, with the mask of the forward pass. */
    void addInputGradient(int from, int to, Matrix dXs, Scratch scratch) {
        Matrix dX = dXs.rows(start + from, start + to);
        if (!hasDropout()) {
            scratch.products().multiply(1, lowRank.rows(from, to), Matrix.of(term.a()), 1, dX);
            return;
        }
        int width = dXs.columns();
        Matrix gradients = scratch.direct(0, to - from, width);
        scratch.products().multiply(keepScale(), lowRank.rows(from, to), Matrix.of(term.a()), 0, gradients);
        float[] gradient = scratch.heap(0, width);
        float[] sum = scratch.heap(1, width);
        long[] columnKeys = columnKeys(0, width, scratch);
        for (int row = 0; row < to - from; row++) {
            gradients.load(row, row + 1, gradient);
            drop(gradient, start + from + row, columnKeys, width);
            dX.load(row, row + 1, sum);
            for (int i = 0; i < width; i++) {
                sum[i] += gradient[i];
            }
            dX.store(row, row + 1, sum);
        }
    }

    private Matrix outputs(Matrix rows, int from, int to) {
        return rows.rows(start + from, start + to).columns(part.from(), part.to());
    }

    private static Matrix gradient(@Nullable Tensor gradient, Tensor parameter) {
        int rows = (int) parameter.dim(0);
        return Matrix.of(Objects.requireNonNull(gradient), rows, (int) parameter.dim(1));
    }

    private boolean hasDropout() {
        return batch.hasDropout() && term.dropout() > 0;
    }

    private float keepScale() {
        return hasDropout() ? (float) Dropout.keepScale(term.dropout()) : 1;
    }

    /** A rectangle of x without its dropped values: x itself without dropout, else a copy in scratch memory. */
    private Matrix dropped(Matrix xs, int from, int to, int columnFrom, int columnTo, Scratch scratch) {
        Matrix input = xs.rows(start + from, start + to).columns(columnFrom, columnTo);
        if (!hasDropout()) {
            return input;
        }
        int width = columnTo - columnFrom;
        Matrix copy = scratch.direct(0, to - from, width);
        float[] values = scratch.heap(0, width);
        long[] columnKeys = columnKeys(columnFrom, width, scratch);
        for (int row = 0; row < to - from; row++) {
            input.load(row, row + 1, values);
            drop(values, start + from + row, columnKeys, width);
            copy.store(row, row + 1, values);
        }
        return copy;
    }

    /** Keys of the columns from a multiple of 4 on, four columns a key. */
    private long[] columnKeys(int columnFrom, int width, Scratch scratch) {
        int quads = (width + 3) / 4;
        long[] keys = scratch.keys(quads);
        for (int quad = 0; quad < quads; quad++) {
            keys[quad] = Dropout.columnKey(part.module(), columnFrom / 4 + quad);
        }
        return keys;
    }

    /**
     * Clears the dropped values of a row; the others are scaled in the product that follows. Bits instead of a condition,
     * because a branch that nobody can predict costs more than all the rest.
     */
    private void drop(float[] values, int row, long[] columnKeys, int width) {
        long key = batch.dropoutKey(row);
        int highestDropped = Dropout.threshold(term.dropout()) - 1;
        int i = 0;
        for (; i + 3 < width; i += 4) {
            long bits = Dropout.bits(key, columnKeys[i >> 2]);
            values[i] = cleared(values[i], highestDropped - (int) (bits & 0xFFFF));
            values[i + 1] = cleared(values[i + 1], highestDropped - (int) ((bits >>> 16) & 0xFFFF));
            values[i + 2] = cleared(values[i + 2], highestDropped - (int) ((bits >>> 32) & 0xFFFF));
            values[i + 3] = cleared(values[i + 3], highestDropped - (int) (bits >>> 48));
        }
        for (; i < width; i++) {
            long bits = Dropout.bits(key, columnKeys[i >> 2]) >>> (16 * (i & 3));
            values[i] = cleared(values[i], highestDropped - (int) (bits & 0xFFFF));
        }
    }

    /** The value where {@code kept} is negative, else 0. */
    private static float cleared(float value, int kept) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(value) & (kept >> 31));
    }
}
