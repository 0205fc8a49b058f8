package io.plora.train;

import io.plora.cost.ActivationPolicy;
import io.plora.kernels.AttentionShape;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import org.jspecify.annotations.Nullable;

/**
 * A frozen decoder of the Llama or Qwen2 family with the low-rank terms of a group of adapters: forward, and a backward pass
 * written by hand that computes gradients of activations and adapters only.
 */
final class Decoder {
    private final ModelConfig model;
    private final DecoderWeights weights;
    private final Kernels kernels;
    private final ActivationPolicy policy;
    private @Nullable Activations activations;
    private int reservedRows;

    /** Half of a training pass: what it computes with, the rest of which is this decoder's. */
    private record Half(Activations activations, GroupTables tables, boolean backward) {}

    Decoder(ModelConfig model, DecoderWeights weights, Kernels kernels, ActivationPolicy policy) {
        this.model = model;
        this.weights = weights;
        this.kernels = kernels;
        this.policy = policy;
    }

    /** Rows that memory is laid out for when a pass finds none that is large enough, if there is room for them. */
    void reserve(int rows) {
        reservedRows = rows;
    }

    /**
     * Memory that holds a batch.
     *
     * @throws OutOfMemoryError if there is none, even for this batch alone
     */
    private Activations prepared(PackedBatch batch, GroupTables tables) {
        DType type = kernels.activationType();
        LowRankSizes needed = LowRankSizes.of(tables.layer(0), batch, type);
        if (activations != null && activations.holds(batch, needed)) {
            return activations;
        }
        release(); // lets go of the old memory before the new is taken
        long rows = Math.max(batch.rows(), reservedRows);
        while (activations == null) {
            boolean spare = rows > batch.rows();
            LowRankSizes sizes = spare ? needed.max(LowRankSizes.most(tables.layer(0), rows, type)) : needed;
            try {
                activations = Activations.allocate(kernels, model, policy, rows, sizes);
            } catch (OutOfMemoryError e) {
                if (!spare) {
                    throw e;
                }
                rows = (batch.rows() + rows) / 2;
            }
        }
        return activations;
    }

    /** Lets go of the memory of activations; the next pass takes what it needs. */
    void release() {
        if (activations != null) {
            activations.release();
            activations = null;
        }
    }

    /** Losses of each row (0 where it has no target), not weighted. */
    float[] losses(PackedBatch batch, GroupTables tables) {
        return kernels.floats(rowLosses(batch, tables));
    }

    /** As {@link #losses}, where the kernels compute; overwritten by the next pass. */
    Tensor rowLosses(PackedBatch batch, GroupTables tables) {
        return rowLosses(prepared(batch, tables), batch, tables, false);
    }

    /** As {@link #rowLosses}, ready for {@link #backward}; gradients are not touched. */
    Tensor forward(PackedBatch batch, GroupTables tables) {
        Activations a = prepared(batch, tables);
        kernels.repeatable(new Half(a, tables, false), batch, () -> rowLosses(a, batch, tables, true));
        return a.losses.rows(0, batch.rows());
    }

    private Tensor rowLosses(Activations a, PackedBatch batch, GroupTables tables, boolean train) {
        forward(a, batch, tables);
        kernels.crossEntropy(a.outputNormed, weights.lmHead(), batch, a.losses, train ? a.dHidden : null);
        return a.losses.rows(0, batch.rows());
    }

    /** Adds the gradients of the weighted losses to the adapters' gradients, after {@link #forward} of the same batch. */
    void backward(PackedBatch batch, GroupTables tables) {
        Activations a = prepared(batch, tables);
        kernels.repeatable(new Half(a, tables, true), batch, () -> backward(a, batch, tables));
    }

    /** Logits of every row, (T, V). */
    float[] logits(PackedBatch batch, GroupTables tables) {
        Activations a = prepared(batch, tables);
        forward(a, batch, tables);
        Tensor logits = kernels.allocate(kernels.parameterType(), batch.rows(), model.vocabularySize());
        try {
            kernels.logits(a.outputNormed, weights.lmHead(), batch, logits);
            return kernels.floats(logits);
        } finally {
            kernels.release(logits);
        }
    }

    private void forward(Activations a, PackedBatch batch, GroupTables tables) {
        kernels.embed(weights.embedding(), batch, a.layers.get(0).input());
        for (int i = 0; i < model.layers(); i++) {
            Activations.Layer layer = a.layers.get(i);
            Tensor next = i + 1 < model.layers() ? a.layers.get(i + 1).input() : a.output;
            forward(weights.layers().get(i), tables.layer(i), layer, batch);
            kernels.project(
                    weights.layers().get(i).down(),
                    tables.layer(i).down(),
                    batch,
                    layer.pointwise().activated,
                    layer.downLowRank(),
                    layer.inner().middle,
                    next);
        }
        kernels.rmsNorm(
                a.output, weights.finalNorm(), model.rmsNormEpsilon(), batch, a.outputNormed, a.outputInverseRms);
    }

    /** A layer up to its down projection. */
    private void forward(DecoderWeights.Layer w, GroupTables.Layer t, Activations.Layer layer, PackedBatch batch) {
        AttentionShape shape = model.attentionShape();
        Activations.Inner inner = layer.inner();
        Activations.Pointwise pointwise = layer.pointwise();
        normInput(w, layer, batch);
        kernels.project(w.qkv(), t.qkv(), batch, pointwise.inputNormed, inner.qkvLowRank, null, inner.qkv);
        kernels.rotary(shape, weights.rotary(), batch, inner.qkv, false);
        kernels.attention(shape, batch, inner.qkv, inner.attention, inner.logSumExp);
        kernels.project(w.o(), t.o(), batch, inner.attention, inner.oLowRank, layer.input(), inner.middle);
        normMiddle(w, layer, batch);
        kernels.project(w.gateUp(), t.gateUp(), batch, pointwise.middleNormed, inner.gateUpLowRank, null, inner.gateUp);
        kernels.swiGlu(inner.gateUp, batch, pointwise.activated);
    }

    private void normInput(DecoderWeights.Layer w, Activations.Layer layer, PackedBatch batch) {
        kernels.rmsNorm(
                layer.input(),
                w.inputNorm(),
                model.rmsNormEpsilon(),
                batch,
                layer.pointwise().inputNormed,
                layer.inner().inputInverseRms);
    }

    private void normMiddle(DecoderWeights.Layer w, Activations.Layer layer, PackedBatch batch) {
        kernels.rmsNorm(
                layer.inner().middle,
                w.postNorm(),
                model.rmsNormEpsilon(),
                batch,
                layer.pointwise().middleNormed,
                layer.inner().middleInverseRms);
    }

    private void backward(Activations a, PackedBatch batch, GroupTables tables) {
        kernels.zero(a.dResidual.rows(0, batch.rows()));
        kernels.rmsNormBackward(a.output, weights.finalNorm(), a.outputInverseRms, a.dHidden, batch, a.dResidual);
        for (int i = model.layers() - 1; i >= 0; i--) {
            DecoderWeights.Layer w = weights.layers().get(i);
            Activations.Layer layer = a.layers.get(i);
            // the forward pass has left the last layer's results in the memory that layers share
            if (policy == ActivationPolicy.KEEP_LAYER_INPUTS && i < model.layers() - 1) {
                forward(w, tables.layer(i), layer, batch);
            }
            backward(w, tables.layer(i), layer, a, batch, i == 0);
        }
    }

    /** Takes {@code dResidual} from the layer's output to its input; below the first layer nobody needs it. */
    private void backward(
            DecoderWeights.Layer w,
            GroupTables.Layer t,
            Activations.Layer layer,
            Activations a,
            PackedBatch batch,
            boolean first) {
        AttentionShape shape = model.attentionShape();
        boolean again = policy == ActivationPolicy.RECOMPUTE_POINTWISE;
        Activations.Inner inner = layer.inner();
        Activations.Pointwise pointwise = layer.pointwise();
        if (again) {
            kernels.swiGlu(inner.gateUp, batch, pointwise.activated);
        }
        kernels.projectBackward(
                w.down(), t.down(), batch, pointwise.activated, layer.downLowRank(), a.dResidual, a.dActivated);
        kernels.swiGluBackward(inner.gateUp, a.dActivated, batch, a.dGateUp);
        if (again) {
            normMiddle(w, layer, batch);
        }
        kernels.projectBackward(
                w.gateUp(), t.gateUp(), batch, pointwise.middleNormed, inner.gateUpLowRank, a.dGateUp, a.dHidden);
        kernels.rmsNormBackward(inner.middle, w.postNorm(), inner.middleInverseRms, a.dHidden, batch, a.dResidual);
        kernels.projectBackward(w.o(), t.o(), batch, inner.attention, inner.oLowRank, a.dResidual, a.dAttention);
        kernels.attentionBackward(shape, batch, inner.qkv, inner.attention, inner.logSumExp, a.dAttention, a.dQkv);
        kernels.rotary(shape, weights.rotary(), batch, a.dQkv, true);
        if (again) {
            normInput(w, layer, batch);
        }
        kernels.projectBackward(
                w.qkv(), t.qkv(), batch, pointwise.inputNormed, inner.qkvLowRank, a.dQkv, first ? null : a.dHidden);
        if (!first) {
            kernels.rmsNormBackward(layer.input(), w.inputNorm(), inner.inputInverseRms, a.dHidden, batch, a.dResidual);
        }
    }
}
