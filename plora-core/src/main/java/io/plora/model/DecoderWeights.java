package io.plora.model;

import io.plora.kernels.Kernels;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import io.plora.space.TargetModule;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Frozen weights of a decoder where its {@link Kernels} compute, of their activation type.
 *
 * @param embedding (V, H)
 * @param finalNorm (H)
 * @param lmHead (V, H); the same tensor as the embedding where the two are tied
 * @param rotary (positions, headSize): the table for {@link Kernels#rotary}
 */
public record DecoderWeights(Tensor embedding, List<Layer> layers, Tensor finalNorm, Tensor lmHead, Tensor rotary) {

    public DecoderWeights {
        layers = List.copyOf(layers);
    }

    /**
     * One decoder layer.
     *
     * @param inputNorm (H)
     * @param qkv q, k and v
     * @param postNorm (H), of the norm after attention
     * @param gateUp gate and up
     */
    public record Layer(
            Tensor inputNorm,
            PackedProjection qkv,
            PackedProjection o,
            Tensor postNorm,
            PackedProjection gateUp,
            PackedProjection down) {}

    /**
     * Reads a model's weights from its mapped files into the memory of {@code kernels}, without a copy in between.
     *
     * @param positions length of the rotary table: the longest sequence that will be computed
     * @throws IllegalArgumentException if there are more positions than the model has
     */
    public static DecoderWeights load(BaseModel model, Kernels kernels, int positions) {
        return load(model.config(), model.checkpoint(), kernels, positions);
    }

    /** As {@link #load(BaseModel, Kernels, int)}, from any source. */
    public static DecoderWeights load(ModelConfig model, WeightSource source, Kernels kernels, int positions) {
        if (positions < 1 || positions > model.maxPositions()) {
            throw new IllegalArgumentException(
                    "Positions (%d) must be from 1 to the model's (%d). Maybe use shorter sequences."
                            .formatted(positions, model.maxPositions()));
        }
        return new DecoderWeightsLoader(model, source, kernels).load(positions);
    }

    /** Gives the memory back; nothing of these weights may be used afterwards. */
    public void release(Kernels kernels) {
        // a set, as the embedding may be the output layer too
        Set<Tensor> tensors = new LinkedHashSet<>(Arrays.asList(embedding, finalNorm, lmHead, rotary));
        for (Layer layer : layers) {
            tensors.add(layer.inputNorm());
            tensors.add(layer.postNorm());
            for (PackedProjection projection : List.of(layer.qkv(), layer.o(), layer.gateUp(), layer.down())) {
                tensors.add(projection.weight());
                Optional.ofNullable(projection.bias()).ifPresent(tensors::add);
            }
        }
        tensors.forEach(kernels::release);
    }

    /** Number of a module in the whole model, as {@link PackedProjection.Part#module} has it. */
    public static int moduleNumber(int layer, TargetModule module) {
        return layer * TargetModule.values().length + module.ordinal();
    }
}
