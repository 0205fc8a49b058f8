package io.plora.kernels.cpu;

import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Output layer and cross-entropy: the rows with a target, gathered and taken in chunks. */
final class CpuLoss {
    /** Logits held at a time. */
    private static final int CHUNK = 1 << 21;
    /** Rows of a chunk at least, so that reading the weights pays even for a large vocabulary. */
    private static final int FEWEST_ROWS = 64;
    /** Elements that are worth another thread. */
    private static final int GRAIN = 1 << 14;

    private final Workers workers;
    private final Scratch shared = new Scratch();

    CpuLoss(Workers workers) {
        this.workers = workers;
    }

    /** Rows of logits held at a time. */
    static int chunkRows(int vocabulary) {
        return Math.max(FEWEST_ROWS, CHUNK / vocabulary);
    }

    void logits(Tensor x, Tensor weight, PackedBatch batch, Tensor y) {
        Matrix weights = Matrix.of(weight);
        workers.multiply(
                Matrix.of(x, batch.rows(), weights.columns()),
                weights.transpose(),
                0,
                Matrix.of(y, batch.rows(), weights.rows()));
    }

    void crossEntropy(Tensor x, Tensor weight, PackedBatch batch, Tensor losses, @Nullable Tensor dX) {
        int hidden = (int) weight.dim(1);
        int[] rows = IntStream.range(0, batch.rows())
                .filter(row -> batch.target(row) != -1)
                .toArray();
        clearOthers(batch, hidden, losses, dX);
        int chunk = chunkRows((int) weight.dim(0));
        for (int from = 0; from < rows.length; from += chunk) {
            int count = Math.min(chunk, rows.length - from);
            int[] chosen = Arrays.copyOfRange(rows, from, from + count);
            chunk(x, Matrix.of(weight), batch, chosen, losses, dX);
        }
    }

    private static void clearOthers(PackedBatch batch, int hidden, Tensor losses, @Nullable Tensor dX) {
        float[] zeros = new float[hidden];
        for (int row = 0; row < batch.rows(); row++) {
            if (batch.target(row) == -1) {
                losses.floats().put(row, 0);
                if (dX != null) {
                    dX.floats().put(row * hidden, zeros);
                }
            }
        }
    }

    private void chunk(Tensor x, Matrix weight, PackedBatch batch, int[] rows, Tensor losses, @Nullable Tensor dX) {
        int hidden = weight.columns();
        int vocabulary = weight.rows();
        Matrix inputs = shared.direct(0, rows.length, hidden);
        for (int i = 0; i < rows.length; i++) {
            inputs.tensor().floats().put(i * hidden, x.floats(), rows[i] * hidden, hidden);
        }
        Matrix logits = shared.direct(1, rows.length, vocabulary);
        workers.multiply(inputs, weight.transpose(), 0, logits);
        FloatBuffer toLosses = losses.floats();
        workers.ranges(rows.length, Math.max(1, GRAIN / vocabulary), (from, to, scratch) -> {
            for (int i = from; i < to; i++) {
                int row = rows[i];
                toLosses.put(row, loss(logits, i, batch.target(row), batch.lossWeight(row), dX != null, scratch));
            }
        });
        if (dX != null) {
            Matrix gradients = inputs;
            workers.multiply(logits, weight, 0, gradients);
            for (int i = 0; i < rows.length; i++) {
                dX.floats().put(rows[i] * hidden, gradients.tensor().floats(), i * hidden, hidden);
            }
        }
    }

    /** The loss of one row; leaves the gradient of its logits in their place where it is wanted. */
    private static float loss(Matrix logits, int row, int target, float lossWeight, boolean gradient, Scratch scratch) {
        int vocabulary = logits.columns();
        float[] values = scratch.heap(0, vocabulary);
        logits.load(row, row + 1, values);
        float max = Reductions.max(values, 0, vocabulary);
        float targetLogit = values[target] - max;
        for (int i = 0; i < vocabulary; i++) {
            values[i] -= max;
        }
        scratch.exponential().apply(values, vocabulary);
        float sum = Reductions.sum(values, 0, vocabulary);
        if (gradient) {
            float factor = lossWeight / sum;
            for (int i = 0; i < vocabulary; i++) {
                values[i] *= factor;
            }
            values[target] -= lossWeight;
            logits.store(row, row + 1, values);
        }
        return (float) Math.log(sum) - targetLogit;
    }
}
