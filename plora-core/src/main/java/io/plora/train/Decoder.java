package io.plora.train;

import io.plora.kernels.AttentionShape;
import io.plora.kernels.Kernels;
import io.plora.kernels.LoraTable;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
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
    private @Nullable Activations activations;

    Decoder(ModelConfig model, DecoderWeights weights, Kernels kernels) {
        this.model = model;
        this.weights = weights;
        this.kernels = kernels;
    }

    /** Makes room for batches of up to so many rows. */
    private Activations activations(long rows) {
        if (activations == null || activations.rows < rows) {
            activations = null; // lets go of the old memory before the new is taken
            activations = new Activations(kernels, model, rows);
        }
        return activations;
    }

    /** Lets go of the memory of activations; the next pass takes what it needs. */
    void release() {
        activations = null;
    }

    /** Losses of each row (0 where it has no target), not weighted. */
    float[] losses(PackedBatch batch, GroupTables tables) {
        return kernels.floats(rowLosses(batch, tables));
    }

    /** As {@link #losses}, where the kernels compute; overwritten by the next pass. */
    Tensor rowLosses(PackedBatch batch, GroupTables tables) {
        Activations a = activations(batch.rows());
        forward(a, batch, tables);
        kernels.crossEntropy(a.outputNormed, weights.lmHead(), batch, a.losses, null);
        return a.losses.rows(0, batch.rows());
    }

    /** As {@link #losses}, and adds the gradients of the weighted losses to the adapters' gradients. */
    float[] lossesAndGradients(PackedBatch batch, GroupTables tables) {
        Activations a = activations(batch.rows());
        forward(a, batch, tables);
        kernels.crossEntropy(a.outputNormed, weights.lmHead(), batch, a.losses, a.dHidden);
        backward(a, batch, tables);
        return kernels.floats(a.losses.rows(0, batch.rows()));
    }

    /** Logits of every row, (T, V). */
    float[] logits(PackedBatch batch, GroupTables tables) {
        Activations a = activations(batch.rows());
        forward(a, batch, tables);
        Tensor logits = kernels.allocate(kernels.parameterType(), batch.rows(), model.vocabularySize());
        kernels.logits(a.outputNormed, weights.lmHead(), batch, logits);
        return kernels.floats(logits);
    }

    private void forward(Activations a, PackedBatch batch, GroupTables tables) {
        kernels.embed(weights.embedding(), batch, a.layers.get(0).input);
        for (int i = 0; i < model.layers(); i++) {
            Tensor next = i + 1 < model.layers() ? a.layers.get(i + 1).input : a.output;
            forward(weights.layers().get(i), tables.layer(i), a.layers.get(i), batch, next);
        }
        kernels.rmsNorm(
                a.output, weights.finalNorm(), model.rmsNormEpsilon(), batch, a.outputNormed, a.outputInverseRms);
    }

    private void forward(
            DecoderWeights.Layer w, GroupTables.Layer t, Activations.Layer a, PackedBatch batch, Tensor next) {
        AttentionShape shape = model.attentionShape();
        double epsilon = model.rmsNormEpsilon();
        kernels.rmsNorm(a.input, w.inputNorm(), epsilon, batch, a.inputNormed, a.inputInverseRms);
        project(w.qkv(), t.qkv(), batch, a.inputNormed, a.qkvLowRank, a.qkv, false);
        kernels.rotary(shape, weights.rotary(), batch, a.qkv, false);
        kernels.attention(shape, batch, a.qkv, a.attention, a.logSumExp);
        copyRows(a.input, a.middle, batch);
        project(w.o(), t.o(), batch, a.attention, a.oLowRank, a.middle, true);
        kernels.rmsNorm(a.middle, w.postNorm(), epsilon, batch, a.middleNormed, a.middleInverseRms);
        project(w.gateUp(), t.gateUp(), batch, a.middleNormed, a.gateUpLowRank, a.gateUp, false);
        kernels.swiGlu(a.gateUp, batch, a.activated);
        copyRows(a.middle, next, batch);
        project(w.down(), t.down(), batch, a.activated, a.downLowRank, next, true);
    }

    private void project(
            PackedProjection projection,
            LoraTable table,
            PackedBatch batch,
            Tensor x,
            Activations.LowRank lowRank,
            Tensor y,
            boolean accumulate) {
        kernels.project(
                projection,
                table,
                batch,
                x,
                lowRank.ofSize(table.lowRankSize(batch, kernels.activationType())),
                y,
                accumulate);
    }

    private void copyRows(Tensor from, Tensor to, PackedBatch batch) {
        kernels.copy(from.rows(0, batch.rows()), to.rows(0, batch.rows()));
    }

    private void backward(Activations a, PackedBatch batch, GroupTables tables) {
        kernels.zero(a.dResidual.rows(0, batch.rows()));
        kernels.rmsNormBackward(a.output, weights.finalNorm(), a.outputInverseRms, a.dHidden, batch, a.dResidual);
        for (int i = model.layers() - 1; i >= 0; i--) {
            backward(weights.layers().get(i), tables.layer(i), a.layers.get(i), a, batch, i == 0);
        }
    }

    /** Takes {@code dResidual} from the layer's output to its input; below the first layer nobody needs it. */
    private void backward(
            DecoderWeights.Layer w,
            GroupTables.Layer t,
            Activations.Layer l,
            Activations a,
            PackedBatch batch,
            boolean first) {
        AttentionShape shape = model.attentionShape();
        projectBackward(w.down(), t.down(), batch, l.activated, l.downLowRank, a.dResidual, a.dActivated);
        kernels.swiGluBackward(l.gateUp, a.dActivated, batch, a.dGateUp);
        projectBackward(w.gateUp(), t.gateUp(), batch, l.middleNormed, l.gateUpLowRank, a.dGateUp, a.dHidden);
        kernels.rmsNormBackward(l.middle, w.postNorm(), l.middleInverseRms, a.dHidden, batch, a.dResidual);
        projectBackward(w.o(), t.o(), batch, l.attention, l.oLowRank, a.dResidual, a.dAttention);
        kernels.attentionBackward(shape, batch, l.qkv, l.attention, l.logSumExp, a.dAttention, a.dQkv);
        kernels.rotary(shape, weights.rotary(), batch, a.dQkv, true);
        projectBackward(w.qkv(), t.qkv(), batch, l.inputNormed, l.qkvLowRank, a.dQkv, first ? null : a.dHidden);
        if (!first) {
            kernels.rmsNormBackward(l.input, w.inputNorm(), l.inputInverseRms, a.dHidden, batch, a.dResidual);
        }
    }

    private void projectBackward(
            PackedProjection projection,
            LoraTable table,
            PackedBatch batch,
            Tensor x,
            Activations.LowRank lowRank,
            Tensor dY,
            @Nullable Tensor dX) {
        kernels.projectBackward(projection, table, batch, x, lowRank.ofSize(0), dY, dX);
    }
}
