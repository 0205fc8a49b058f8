package io.plora.kernels.reference;

import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.nio.DoubleBuffer;

/** Embedding, RMSNorm and SwiGLU. */
final class ReferencePointwise {
    private ReferencePointwise() {}

    static void embed(Tensor table, PackedBatch batch, Tensor y) {
        int hidden = (int) table.dim(1);
        for (int row = 0; row < batch.rows(); row++) {
            y.doubles().put(row * hidden, table.doubles(), batch.token(row) * hidden, hidden);
        }
    }

    static void rmsNorm(Tensor x, Tensor weight, double epsilon, PackedBatch batch, Tensor y, Tensor inverseRms) {
        int hidden = (int) weight.size();
        DoubleBuffer xs = x.doubles();
        for (int row = 0; row < batch.rows(); row++) {
            double squares = 0;
            for (int i = 0; i < hidden; i++) {
                double value = xs.get(row * hidden + i);
                squares += value * value;
            }
            double inverse = 1 / Math.sqrt(squares / hidden + epsilon);
            inverseRms.doubles().put(row, inverse);
            for (int i = 0; i < hidden; i++) {
                double value = xs.get(row * hidden + i);
                y.doubles().put(row * hidden + i, weight.doubles().get(i) * value * inverse);
            }
        }
    }

    /** With n = x / rms and g = weight * dY: dX += (g - n mean(g n)) / rms. */
    static void rmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dY, PackedBatch batch, Tensor dX) {
        int hidden = (int) weight.size();
        DoubleBuffer xs = x.doubles();
        DoubleBuffer dXs = dX.doubles();
        for (int row = 0; row < batch.rows(); row++) {
            double inverse = inverseRms.doubles().get(row);
            double mean = 0;
            for (int i = 0; i < hidden; i++) {
                int at = row * hidden + i;
                mean += weight.doubles().get(i) * dY.doubles().get(at) * xs.get(at) * inverse / hidden;
            }
            for (int i = 0; i < hidden; i++) {
                int at = row * hidden + i;
                double gradient = weight.doubles().get(i) * dY.doubles().get(at);
                dXs.put(at, dXs.get(at) + inverse * (gradient - xs.get(at) * inverse * mean));
            }
        }
    }

    static void swiGlu(Tensor gateUp, PackedBatch batch, Tensor y) {
        int features = (int) y.dim(1);
        for (int row = 0; row < batch.rows(); row++) {
            for (int i = 0; i < features; i++) {
                double gate = gateUp.doubles().get(row * 2 * features + i);
                double up = gateUp.doubles().get(row * 2 * features + features + i);
                y.doubles().put(row * features + i, gate * sigmoid(gate) * up);
            }
        }
    }

    static void swiGluBackward(Tensor gateUp, Tensor dY, PackedBatch batch, Tensor dGateUp) {
        int features = (int) dY.dim(1);
        for (int row = 0; row < batch.rows(); row++) {
            for (int i = 0; i < features; i++) {
                int gateAt = row * 2 * features + i;
                double gate = gateUp.doubles().get(gateAt);
                double up = gateUp.doubles().get(gateAt + features);
                double gradient = dY.doubles().get(row * features + i);
                double sigmoid = sigmoid(gate);
                dGateUp.doubles().put(gateAt, gradient * up * sigmoid * (1 + gate * (1 - sigmoid)));
                dGateUp.doubles().put(gateAt + features, gradient * gate * sigmoid);
            }
        }
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }
}
