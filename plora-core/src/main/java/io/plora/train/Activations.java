package io.plora.train;

import io.plora.cost.ActivationPolicy;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import io.plora.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory of the activations of one pass and of its backward pass, for up to a number of rows T; laid out once, reused. What
 * the policy computes again lies in memory that all layers share. {@link io.plora.cost.MemoryModel} predicts its size.
 */
final class Activations {

    /** What norms and SwiGLU give. */
    static final class Pointwise {
        final Tensor inputNormed; // (T, H)
        final Tensor middleNormed; // (T, H)
        final Tensor activated; // (T, F)

        private Pointwise(Memory memory, boolean oneNorm) {
            inputNormed = memory.activation(memory.model.hiddenSize());
            middleNormed = oneNorm ? inputNormed : memory.activation(memory.model.hiddenSize());
            activated = memory.activation(memory.model.intermediateSize());
        }
    }

    /** What a layer's products, attention and norms leave for its backward pass. */
    static final class Inner {
        final Tensor inputInverseRms; // (T)
        final Tensor qkv; // (T, (heads + 2 kvHeads) headSize), rotated
        final Tensor attention; // (T, heads headSize)
        final Tensor logSumExp; // (T, heads)
        final Tensor middle; // (T, H), after attention
        final Tensor middleInverseRms; // (T)
        final Tensor gateUp; // (T, 2 F)
        final Tensor qkvLowRank;
        final Tensor oLowRank;
        final Tensor gateUpLowRank;

        private Inner(Memory memory) {
            ModelConfig model = memory.model;
            inputInverseRms = memory.statistic();
            qkv = memory.activation(model.attentionShape().qkvSize());
            attention = memory.activation(model.attentionShape().outputSize());
            logSumExp = memory.statistic(model.heads());
            middle = memory.activation(model.hiddenSize());
            middleInverseRms = memory.statistic();
            gateUp = memory.activation(2L * model.intermediateSize());
            qkvLowRank = memory.lowRank(memory.lowRank.qkv());
            oLowRank = memory.lowRank(memory.lowRank.o());
            gateUpLowRank = memory.lowRank(memory.lowRank.gateUp());
        }
    }

    /**
     * One layer; what is inside may be shared with others.
     *
     * @param input (T, H)
     * @param downLowRank never shared: the down projection is not computed again
     */
    record Layer(Tensor input, Inner inner, Pointwise pointwise, Tensor downLowRank) {}

    /** Allocates, and remembers what. */
    private static final class Memory {
        private final Kernels kernels;
        private final ModelConfig model;
        private final long rows;
        private final LowRankSizes lowRank;
        private final List<Tensor> taken = new ArrayList<>();

        private Memory(Kernels kernels, ModelConfig model, long rows, LowRankSizes lowRank) {
            this.kernels = kernels;
            this.model = model;
            this.rows = rows;
            this.lowRank = lowRank;
        }

        private Tensor activation(long columns) {
            return take(kernels.activationType(), rows, columns);
        }

        private Tensor statistic() {
            return take(kernels.parameterType(), rows);
        }

        private Tensor statistic(long columns) {
            return take(kernels.parameterType(), rows, columns);
        }

        private Tensor lowRank(long size) {
            return take(kernels.activationType(), size);
        }

        private Tensor take(DType type, long... shape) {
            Tensor tensor = kernels.allocate(type, shape);
            taken.add(tensor);
            return tensor;
        }

        private void release() {
            taken.forEach(kernels::release);
        }
    }

    private final Memory memory;

    final List<Layer> layers;
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

    /**
     * Takes the memory.
     *
     * @param lowRank room for low-rank activations, in each layer
     * @throws OutOfMemoryError if there is not enough; then nothing is taken
     */
    static Activations allocate(
            Kernels kernels, ModelConfig model, ActivationPolicy policy, long rows, LowRankSizes lowRank) {
        Memory memory = new Memory(kernels, model, rows, lowRank);
        try {
            return new Activations(memory, policy);
        } catch (RuntimeException | Error e) {
            memory.release();
            throw e;
        }
    }

    private Activations(Memory memory, ActivationPolicy policy) {
        this.memory = memory;
        ModelConfig model = memory.model;
        long rows = memory.rows;
        layers = layers(memory, policy);
        output = memory.activation(model.hiddenSize());
        outputInverseRms = memory.statistic();
        outputNormed = memory.activation(model.hiddenSize());
        losses = memory.statistic();
        dResidual = memory.activation(model.hiddenSize());
        dHidden = memory.activation(model.hiddenSize());
        // the gradients of the feed-forward block and those of the attention block are never needed at once
        long intermediate = model.intermediateSize();
        long qkv = model.attentionShape().qkvSize();
        long attended = model.attentionShape().outputSize();
        Tensor scratch = memory.activation(Math.max(3 * intermediate, qkv + attended));
        dGateUp = scratch.view(0, rows, 2 * intermediate);
        dActivated = scratch.view(rows * 2 * intermediate, rows, intermediate);
        dQkv = scratch.view(0, rows, qkv);
        dAttention = scratch.view(rows * qkv, rows, attended);
    }

    private static List<Layer> layers(Memory memory, ActivationPolicy policy) {
        boolean sharesInner = policy == ActivationPolicy.KEEP_LAYER_INPUTS;
        boolean sharesPointwise = policy != ActivationPolicy.KEEP_ALL;
        boolean oneNorm = policy == ActivationPolicy.RECOMPUTE_POINTWISE;
        List<Layer> layers = new ArrayList<>();
        for (int i = 0; i < memory.model.layers(); i++) {
            boolean first = i == 0;
            layers.add(new Layer(
                    memory.activation(memory.model.hiddenSize()),
                    sharesInner && !first ? layers.get(0).inner() : new Inner(memory),
                    sharesPointwise && !first ? layers.get(0).pointwise() : new Pointwise(memory, oneNorm),
                    memory.lowRank(memory.lowRank.down())));
        }
        return List.copyOf(layers);
    }

    /** Whether a batch can be computed in this memory. */
    boolean holds(PackedBatch batch, LowRankSizes needed) {
        return batch.rows() <= memory.rows && memory.lowRank.holds(needed);
    }

    /** Gives the memory back. */
    void release() {
        memory.release();
    }
}
