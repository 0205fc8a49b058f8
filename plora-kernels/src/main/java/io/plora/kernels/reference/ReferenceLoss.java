package io.plora.kernels.reference;

import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Output layer and cross-entropy, one row at a time. */
final class ReferenceLoss {
    private ReferenceLoss() {}

    static void crossEntropy(Tensor x, Tensor weight, PackedBatch batch, Tensor losses, @Nullable Tensor dX) {
        for (int row = 0; row < batch.rows(); row++) {
            if (batch.target(row) == -1) {
                losses.doubles().put(row, 0);
                if (dX != null) {
                    int hidden = (int) weight.dim(1);
                    dX.doubles().put(row * hidden, new double[hidden]);
                }
            } else {
                row(x, weight, batch, row, losses, dX);
            }
        }
    }

    private static void row(Tensor x, Tensor weight, PackedBatch batch, int row, Tensor losses, @Nullable Tensor dX) {
        int target = batch.target(row);
        double[] logits = logits(x, weight, row);
        double max = Arrays.stream(logits).max().orElseThrow();
        double sum = Arrays.stream(logits).map(logit -> Math.exp(logit - max)).sum();
        double logSumExp = max + Math.log(sum);
        losses.doubles().put(row, logSumExp - logits[target]);
        if (dX != null) {
            double lossWeight = batch.lossWeight(row);
            double[] dLogits = Arrays.stream(logits)
                    .map(logit -> lossWeight * Math.exp(logit - logSumExp))
                    .toArray();
            dLogits[target] -= lossWeight;
            gradient(dLogits, weight, row, dX);
        }
    }

    static void logits(Tensor x, Tensor weight, PackedBatch batch, Tensor y) {
        int vocabulary = (int) weight.dim(0);
        for (int row = 0; row < batch.rows(); row++) {
            y.doubles().put(row * vocabulary, logits(x, weight, row));
        }
    }

    private static double[] logits(Tensor x, Tensor weight, int row) {
        int hidden = (int) weight.dim(1);
        double[] logits = new double[(int) weight.dim(0)];
        for (int token = 0; token < logits.length; token++) {
            for (int i = 0; i < hidden; i++) {
                logits[token] +=
                        x.doubles().get(row * hidden + i) * weight.doubles().get(token * hidden + i);
            }
        }
        return logits;
    }

    private static void gradient(double[] dLogits, Tensor weight, int row, Tensor dX) {
        int hidden = (int) weight.dim(1);
        for (int i = 0; i < hidden; i++) {
            double sum = 0;
            for (int token = 0; token < dLogits.length; token++) {
                sum += dLogits[token] * weight.doubles().get(token * hidden + i);
            }
            dX.doubles().put(row * hidden + i, sum);
        }
    }
}
