package io.plora.kernels.cpu;

import io.plora.kernels.AttentionShape;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Causal attention by blocks of query rows: a block's scores against all keys before its end are a product, so at most half
 * a block of work is wasted on the future. The backward pass computes the probabilities again from logSumExp.
 */
final class CpuAttention {
    private static final int BLOCK = 64;

    private final Workers workers;

    CpuAttention(Workers workers) {
        this.workers = workers;
    }

    void attention(AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp) {
        Matrix rows = Matrix.of(qkv, batch.rows(), shape.qkvSize());
        Matrix ys = Matrix.of(y, batch.rows(), shape.outputSize());
        FloatBuffer sums = logSumExp.floats();
        List<Workers.Work> pieces = new ArrayList<>();
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            int start = batch.sequenceStart(sequence);
            int end = batch.sequenceEnd(sequence);
            for (int head = 0; head < shape.heads(); head++) {
                Head on = new Head(shape, head, start, rows.rows(start, end));
                Matrix output = on.output(ys);
                pieces.add(scratch -> {
                    for (int from = 0; from < end - start; from += BLOCK) {
                        on.forward(from, Math.min(end - start, from + BLOCK), output, sums, scratch);
                    }
                });
            }
        }
        workers.run(pieces);
    }

    void backward(
            AttentionShape shape, PackedBatch batch, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dY, Tensor dQkv) {
        Matrix rows = Matrix.of(qkv, batch.rows(), shape.qkvSize());
        Matrix ys = Matrix.of(y, batch.rows(), shape.outputSize());
        Matrix dYs = Matrix.of(dY, batch.rows(), shape.outputSize());
        Matrix gradients = Matrix.of(dQkv, batch.rows(), shape.qkvSize());
        FloatBuffer sums = logSumExp.floats();
        int group = shape.heads() / shape.kvHeads();
        List<Workers.Work> pieces = new ArrayList<>();
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            int start = batch.sequenceStart(sequence);
            int end = batch.sequenceEnd(sequence);
            for (int kvHead = 0; kvHead < shape.kvHeads(); kvHead++) {
                int firstHead = kvHead * group;
                pieces.add(scratch -> {
                    for (int head = firstHead; head < firstHead + group; head++) {
                        Head on = new Head(shape, head, start, rows.rows(start, end));
                        Head gradient = new Head(shape, head, start, gradients.rows(start, end));
                        on.backward(on.output(ys), sums, on.output(dYs), gradient, head == firstHead, scratch);
                    }
                });
            }
        }
        workers.run(pieces);
    }

    /**
     * One query head on one sequence. Row numbers count from the sequence's first row.
     *
     * @param rows the sequence's rows of q, k and v, or of their gradients
     */
    private record Head(AttentionShape shape, int head, int start, Matrix rows) {

        Matrix query() {
            return head(head);
        }

        Matrix key() {
            return head(shape.heads() + head / (shape.heads() / shape.kvHeads()));
        }

        Matrix value() {
            return head(shape.heads() + shape.kvHeads() + head / (shape.heads() / shape.kvHeads()));
        }

        private Matrix head(int index) {
            return rows.columns(index * shape.headSize(), (index + 1) * shape.headSize());
        }

        Matrix output(Matrix outputs) {
            return outputs.rows(start, start + rows.rows())
                    .columns(head * shape.headSize(), (head + 1) * shape.headSize());
        }

        void forward(int from, int to, Matrix output, FloatBuffer logSumExp, Scratch scratch) {
            Matrix block = scratch.direct(0, to - from, to);
            float[] scores = scores(from, to, block, scratch);
            float[] max = scratch.heap(1, to - from);
            for (int i = 0; i < to - from; i++) {
                max[i] = Reductions.max(scores, i * to, from + i + 1);
                subtract(scores, i * to, to, max[i]);
            }
            scratch.exponential().apply(scores, (to - from) * to);
            for (int i = 0; i < to - from; i++) {
                float sum = Reductions.sum(scores, i * to, from + i + 1);
                logSumExp.put((start + from + i) * shape.heads() + head, max[i] + (float) Math.log(sum));
                scale(scores, i * to, from + i + 1, 1 / sum);
                Arrays.fill(scores, i * to + from + i + 1, (i + 1) * to, 0);
            }
            block.store(0, to - from, scores);
            scratch.products().multiply(1, block, value().rows(0, to), 0, output.rows(from, to));
        }

        /** Scores of query rows against keys 0 .. to - 1, also those in the future. */
        private float[] scores(int from, int to, Matrix block, Scratch scratch) {
            float scale = (float) (1 / Math.sqrt(shape.headSize()));
            scratch.products()
                    .multiply(scale, query().rows(from, to), key().rows(0, to).transpose(), 0, block);
            float[] scores = scratch.heap(0, (to - from) * to);
            block.load(0, to - from, scores);
            return scores;
        }

        /** The last block first: it touches all keys, so it can overwrite their gradients, to which the others add. */
        void backward(Matrix y, FloatBuffer logSumExp, Matrix dY, Head gradient, boolean overwrite, Scratch scratch) {
            int length = rows.rows();
            boolean first = overwrite;
            for (int from = (length - 1) / BLOCK * BLOCK; from >= 0 && length > 0; from -= BLOCK) {
                int to = Math.min(length, from + BLOCK);
                Matrix probabilities = scratch.direct(0, to - from, to);
                Matrix dScores = scratch.direct(1, to - from, to);
                float[] p = probabilities(from, to, probabilities, logSumExp, scratch);
                scratch.products()
                        .multiply(1, dY.rows(from, to), value().rows(0, to).transpose(), 0, dScores);
                scoreGradients(from, to, p, y, dY, dScores, scratch);
                probabilities.store(0, to - from, p);
                addProducts(from, to, probabilities, dScores, dY, gradient, first ? 0 : 1, scratch);
                first = false;
            }
        }

        private float[] probabilities(int from, int to, Matrix block, FloatBuffer logSumExp, Scratch scratch) {
            float[] scores = scores(from, to, block, scratch);
            for (int i = 0; i < to - from; i++) {
                subtract(scores, i * to, to, logSumExp.get((start + from + i) * shape.heads() + head));
            }
            scratch.exponential().apply(scores, (to - from) * to);
            for (int i = 0; i < to - from; i++) {
                Arrays.fill(scores, i * to + from + i + 1, (i + 1) * to, 0);
            }
            return scores;
        }

        /** Replaces dP = dY V^T by dS = p (dP - dY y) / sqrt(headSize). */
        private void scoreGradients(int from, int to, float[] p, Matrix y, Matrix dY, Matrix dScores, Scratch scratch) {
            int size = shape.headSize();
            float scale = (float) (1 / Math.sqrt(size));
            float[] outputs = scratch.heap(1, (to - from) * size);
            float[] dOutputs = scratch.heap(2, (to - from) * size);
            float[] gradients = scratch.heap(3, (to - from) * to);
            y.load(from, to, outputs);
            dY.load(from, to, dOutputs);
            dScores.load(0, to - from, gradients);
            for (int i = 0; i < to - from; i++) {
                float mean = Reductions.dot(dOutputs, i * size, outputs, i * size, size);
                softmaxGradient(gradients, p, i * to, to, mean, scale);
            }
            dScores.store(0, to - from, gradients);
        }

        private void addProducts(
                int from,
                int to,
                Matrix probabilities,
                Matrix dScores,
                Matrix dY,
                Head gradient,
                float beta,
                Scratch scratch) {
            Products products = scratch.products();
            products.multiply(1, dScores, key().rows(0, to), 0, gradient.query().rows(from, to));
            products.multiply(
                    1,
                    dScores.transpose(),
                    query().rows(from, to),
                    beta,
                    gradient.key().rows(0, to));
            products.multiply(
                    1,
                    probabilities.transpose(),
                    dY.rows(from, to),
                    beta,
                    gradient.value().rows(0, to));
        }
    }

    private static void subtract(float[] x, int from, int count, float value) {
        for (int i = from; i < from + count; i++) {
            x[i] -= value;
        }
    }

    private static void scale(float[] x, int from, int count, float factor) {
        for (int i = from; i < from + count; i++) {
            x[i] *= factor;
        }
    }

    private static void softmaxGradient(float[] dP, float[] p, int from, int count, float mean, float scale) {
        for (int i = from; i < from + count; i++) {
            dP[i] = p[i] * (dP[i] - mean) * scale;
        }
    }
}
