package io.plora.train;

import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.Tensor;
import io.plora.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/** Memory of the activations of one pass and of its backward pass, for up to a number of rows T; laid out once, reused. */
final class Activations {

    /** What one layer keeps for its backward pass. */
    static final class Layer {
        final Tensor input; // (T, H)
        final Tensor inputInverseRms; // (T)
        final Tensor inputNormed; // (T, H)
        final Tensor qkv; // (T, (heads + 2 kvHeads) headSize), rotated
        final Tensor attention; // (T, heads headSize)
        final Tensor logSumExp; // (T, heads)
        final Tensor middle; // (T, H), after attention
        final Tensor middleInverseRms; // (T)
        final Tensor middleNormed; // (T, H)
        final Tensor gateUp; // (T, 2 F)
        final Tensor activated; // (T, F)
        final LowRank qkvLowRank;
        final LowRank oLowRank;
        final LowRank gateUpLowRank;
        final LowRank downLowRank;

        private Layer(Kernels kernels, ModelConfig model, long rows) {
            DType type = kernels.activationType();
            DType statistic = kernels.parameterType();
            input = kernels.allocate(type, rows, model.hiddenSize());
            inputInverseRms = kernels.allocate(statistic, rows);
            inputNormed = kernels.allocate(type, rows, model.hiddenSize());
            qkv = kernels.allocate(type, rows, model.attentionShape().qkvSize());
            attention = kernels.allocate(type, rows, model.attentionShape().outputSize());
            logSumExp = kernels.allocate(statistic, rows, model.heads());
            middle = kernels.allocate(type, rows, model.hiddenSize());
            middleInverseRms = kernels.allocate(statistic, rows);
            middleNormed = kernels.allocate(type, rows, model.hiddenSize());
            gateUp = kernels.allocate(type, rows, 2L * model.intermediateSize());
            activated = kernels.allocate(type, rows, model.intermediateSize());
            qkvLowRank = new LowRank(kernels);
            oLowRank = new LowRank(kernels);
            gateUpLowRank = new LowRank(kernels);
            downLowRank = new LowRank(kernels);
        }
    }

    /** Low-rank activations of one projection; grows to what a group needs. */
    static final class LowRank {
        private final Kernels kernels;
        private Tensor tensor;

        private LowRank(Kernels kernels) {
            this.kernels = kernels;
            this.tensor = kernels.allocate(kernels.activationType(), 0);
        }

        Tensor ofSize(long size) {
            if (tensor.size() < size) {
                tensor = kernels.allocate(kernels.activationType(), size);
            }
            return tensor;
        }
    }

    final long rows;
    final List<Layer> layers = new ArrayList<>();
    final Tensor output; // (T, H), after the last layer
    final Tensor outputInverseRms; // (T)
    final Tensor outputNormed; // (T, H)
    final Tensor losses; // (T)
    final Tensor dResidual; // (T, H)
    final Tensor dHidden; // (T, H)
    final Tensor dQkv; // (T, (heads + 2 kvHeads) headSize)
    final Tensor dAttention; // (T, heads headSize)
    final Tensor dGateUp; // (T, 2 F)
    final Tensor dActivated; // (T, F)

    Activations(Kernels kernels, ModelConfig model, long rows) {
        this.rows = rows;
        DType type = kernels.activationType();
        for (int layer = 0; layer < model.layers(); layer++) {
            layers.add(new Layer(kernels, model, rows));
        }
        output = kernels.allocate(type, rows, model.hiddenSize());
        outputInverseRms = kernels.allocate(kernels.parameterType(), rows);
        outputNormed = kernels.allocate(type, rows, model.hiddenSize());
        losses = kernels.allocate(kernels.parameterType(), rows);
        dResidual = kernels.allocate(type, rows, model.hiddenSize());
        dHidden = kernels.allocate(type, rows, model.hiddenSize());
        // the gradients of the feed-forward block and those of the attention block are never needed at once
        long intermediate = model.intermediateSize();
        long qkv = model.attentionShape().qkvSize();
        long attended = model.attentionShape().outputSize();
        Tensor scratch = kernels.allocate(type, rows * Math.max(3 * intermediate, qkv + attended));
        dGateUp = scratch.view(0, rows, 2 * intermediate);
        dActivated = scratch.view(rows * 2 * intermediate, rows, intermediate);
        dQkv = scratch.view(0, rows, qkv);
        dAttention = scratch.view(rows * qkv, rows, attended);
    }
}
