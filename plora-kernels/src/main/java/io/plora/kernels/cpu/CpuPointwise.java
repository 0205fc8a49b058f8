package io.plora.kernels.cpu;

import io.plora.kernels.AttentionShape;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.nio.FloatBuffer;

/**
 * Embedding, RMSNorm, rotary embedding and SwiGLU: a few rows at a time are copied to heap arrays, where the compiler
 * vectorises loops, and back.
 */
final class CpuPointwise {
    /** Elements copied at a time: they stay in the first-level cache. */
    private static final int BLOCK = 4096;
    /** Elements that are worth another thread. */
    private static final int GRAIN = 1 << 14;

    private final Workers workers;

    CpuPointwise(Workers workers) {
        this.workers = workers;
    }

    /** Work on a few rows at a time. */
    private void blocks(int rows, int width, Workers.RangeWork work) {
        int blockRows = Math.max(1, BLOCK / width);
        workers.ranges(rows, Math.max(1, GRAIN / width), (from, to, scratch) -> {
            for (int start = from; start < to; start += blockRows) {
                work.run(start, Math.min(to, start + blockRows), scratch);
            }
        });
    }

    void embed(Tensor table, PackedBatch batch, Tensor y) {
        int hidden = (int) table.dim(1);
        FloatBuffer from = table.floats();
        FloatBuffer to = y.floats();
        for (int row = 0; row < batch.rows(); row++) {
            to.put(row * hidden, from, batch.token(row) * hidden, hidden);
        }
    }

    void rmsNorm(Tensor x, Tensor weight, double epsilon, PackedBatch batch, Tensor y, Tensor inverseRms) {
        int hidden = (int) weight.size();
        Matrix xs = Matrix.of(x, batch.rows(), hidden);
        Matrix ys = Matrix.of(y, batch.rows(), hidden);
        FloatBuffer inverses = inverseRms.floats();
        float[] scale = new float[hidden];
        weight.floats().get(0, scale);
        blocks(batch.rows(), hidden, (from, to, scratch) -> {
            float[] values = scratch.heap(0, (to - from) * hidden);
            xs.load(from, to, values);
            for (int row = from; row < to; row++) {
                int at = (row - from) * hidden;
                float squares = Reductions.dot(values, at, values, at, hidden);
                float inverse = (float) (1 / Math.sqrt(squares / hidden + epsilon));
                inverses.put(row, inverse);
                scale(values, at, scale, inverse);
            }
            ys.store(from, to, values);
        });
    }

    private static void scale(float[] values, int at, float[] scale, float factor) {
        for (int i = 0; i < scale.length; i++) {
            values[at + i] *= scale[i] * factor;
        }
    }

    void rmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dY, PackedBatch batch, Tensor dX) {
        int hidden = (int) weight.size();
        Matrix xs = Matrix.of(x, batch.rows(), hidden);
        Matrix dYs = Matrix.of(dY, batch.rows(), hidden);
        Matrix dXs = Matrix.of(dX, batch.rows(), hidden);
        FloatBuffer inverses = inverseRms.floats();
        float[] scale = new float[hidden];
        weight.floats().get(0, scale);
        blocks(batch.rows(), hidden, (from, to, scratch) -> {
            float[] values = scratch.heap(0, (to - from) * hidden);
            float[] gradients = scratch.heap(1, (to - from) * hidden);
            float[] sums = scratch.heap(2, (to - from) * hidden);
            xs.load(from, to, values);
            dYs.load(from, to, gradients);
            dXs.load(from, to, sums);
            for (int row = from; row < to; row++) {
                normGradient(values, gradients, sums, (row - from) * hidden, scale, inverses.get(row));
            }
            dXs.store(from, to, sums);
        });
    }

    /** With n = x / rms and g = weight * dY: dX += (g - n mean(g n)) / rms. */
    private static void normGradient(
            float[] values, float[] gradients, float[] sums, int at, float[] scale, float inverse) {
        int hidden = scale.length;
        scale(gradients, at, scale, inverse);
        float mean = Reductions.dot(values, at, gradients, at, hidden) / hidden;
        float factor = mean * inverse * inverse;
        for (int i = at; i < at + hidden; i++) {
            sums[i] += gradients[i] - values[i] * factor;
        }
    }

    void rotary(AttentionShape shape, Tensor table, PackedBatch batch, Tensor qkv, boolean inverse) {
        int rotated = (shape.heads() + shape.kvHeads()) * shape.headSize();
        Matrix rotatedRows = Matrix.of(qkv, batch.rows(), shape.qkvSize()).columns(0, rotated);
        Matrix angles = Matrix.of(table);
        int[] positions = positions(batch);
        blocks(batch.rows(), rotated, (from, to, scratch) -> {
            float[] values = scratch.heap(0, (to - from) * rotated);
            float[] angle = scratch.heap(1, shape.headSize());
            rotatedRows.load(from, to, values);
            for (int row = from; row < to; row++) {
                angles.load(positions[row], positions[row] + 1, angle);
                for (int at = (row - from) * rotated; at < (row - from + 1) * rotated; at += shape.headSize()) {
                    rotate(values, at, angle, shape.headSize() / 2, inverse ? -1 : 1);
                }
            }
            rotatedRows.store(from, to, values);
        });
    }

    private static int[] positions(PackedBatch batch) {
        int[] positions = new int[batch.rows()];
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            for (int row = batch.sequenceStart(sequence); row < batch.sequenceEnd(sequence); row++) {
                positions[row] = row - batch.sequenceStart(sequence);
            }
        }
        return positions;
    }

    private static void rotate(float[] values, int at, float[] angle, int half, float direction) {
        for (int i = 0; i < half; i++) {
            float cosine = angle[i];
            float sine = angle[half + i] * direction;
            float first = values[at + i];
            float second = values[at + half + i];
            values[at + i] = first * cosine - second * sine;
            values[at + half + i] = second * cosine + first * sine;
        }
    }

    void swiGlu(Tensor gateUp, PackedBatch batch, Tensor y) {
        int features = (int) y.dim(1);
        Matrix gates = Matrix.of(gateUp, batch.rows(), 2 * features).columns(0, features);
        Matrix ups = Matrix.of(gateUp, batch.rows(), 2 * features).columns(features, 2 * features);
        Matrix ys = Matrix.of(y, batch.rows(), features);
        blocks(batch.rows(), features, (from, to, scratch) -> {
            int count = (to - from) * features;
            float[] gate = scratch.heap(0, count);
            float[] up = scratch.heap(1, count);
            float[] sigmoid = scratch.heap(2, count);
            gates.load(from, to, gate);
            ups.load(from, to, up);
            sigmoid(gate, sigmoid, count, scratch.exponential());
            for (int i = 0; i < count; i++) {
                up[i] *= gate[i] * sigmoid[i];
            }
            ys.store(from, to, up);
        });
    }

    void swiGluBackward(Tensor gateUp, Tensor dY, PackedBatch batch, Tensor dGateUp) {
        int features = (int) dY.dim(1);
        Matrix gates = Matrix.of(gateUp, batch.rows(), 2 * features).columns(0, features);
        Matrix ups = Matrix.of(gateUp, batch.rows(), 2 * features).columns(features, 2 * features);
        Matrix dGates = Matrix.of(dGateUp, batch.rows(), 2 * features).columns(0, features);
        Matrix dUps = Matrix.of(dGateUp, batch.rows(), 2 * features).columns(features, 2 * features);
        Matrix dYs = Matrix.of(dY, batch.rows(), features);
        blocks(batch.rows(), features, (from, to, scratch) -> {
            int count = (to - from) * features;
            float[] gate = scratch.heap(0, count);
            float[] up = scratch.heap(1, count);
            float[] sigmoid = scratch.heap(2, count);
            float[] gradient = scratch.heap(3, count);
            gates.load(from, to, gate);
            ups.load(from, to, up);
            dYs.load(from, to, gradient);
            sigmoid(gate, sigmoid, count, scratch.exponential());
            gateGradients(gate, up, sigmoid, gradient, count);
            dGates.store(from, to, up);
            dUps.store(from, to, gate);
        });
    }

    /** Leaves the gradient of the gate in {@code up} and that of up in {@code gate}. */
    private static void gateGradients(float[] gate, float[] up, float[] sigmoid, float[] gradient, int count) {
        for (int i = 0; i < count; i++) {
            float silu = gate[i] * sigmoid[i];
            up[i] *= gradient[i] * (sigmoid[i] + silu * (1 - sigmoid[i]));
            gate[i] = gradient[i] * silu;
        }
    }

    private static void sigmoid(float[] x, float[] sigmoid, int count, Exponential exponential) {
        for (int i = 0; i < count; i++) {
            sigmoid[i] = -x[i];
        }
        exponential.apply(sigmoid, count);
        for (int i = 0; i < count; i++) {
            sigmoid[i] = 1 / (1 + sigmoid[i]);
        }
    }
}
