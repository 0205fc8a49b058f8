package io.plora.model;

import io.plora.kernels.AttentionShape;
import io.plora.space.TargetModule;
import java.nio.file.Path;

/**
 * Shape of a decoder of the Llama or Qwen2 family, as its config.json says.
 *
 * @param family such as {@code qwen2} or {@code llama}
 * @param hiddenSize H
 * @param intermediateSize F
 * @param layers decoder layers
 * @param heads query heads
 * @param kvHeads key and value heads
 * @param headSize values a head
 * @param vocabularySize V
 * @param rmsNormEpsilon added to the mean square
 * @param rope rotary embedding
 * @param tiedEmbeddings whether the output layer is the embedding table
 * @param qkvBias whether q, k and v have biases
 * @param maxPositions longest sequence
 */
public record ModelConfig(
        String family,
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int kvHeads,
        int headSize,
        int vocabularySize,
        double rmsNormEpsilon,
        RopeConfig rope,
        boolean tiedEmbeddings,
        boolean qkvBias,
        int maxPositions) {

    /**
     * Reads config.json of a model folder, as written by transformers before or since version 5.
     *
     * @throws ModelFormatException if the file is missing or malformed, or says something that is not supported
     */
    public static ModelConfig read(Path modelFolder) {
        return new ModelConfigReader(modelFolder).read();
    }

    /** Whether o has a bias: Llama's attention_bias covers it, Qwen2 never has one. */
    public boolean outputBias() {
        return qkvBias && family.equals(ModelConfigReader.LLAMA);
    }

    public AttentionShape attentionShape() {
        return new AttentionShape(heads, kvHeads, headSize);
    }

    /** Values in a row of a module's input. */
    public int inputs(TargetModule module) {
        return switch (module) {
            case Q_PROJ, K_PROJ, V_PROJ, GATE_PROJ, UP_PROJ -> hiddenSize;
            case O_PROJ -> heads * headSize;
            case DOWN_PROJ -> intermediateSize;
        };
    }

    /** Values in a row of a module's output. */
    public int outputs(TargetModule module) {
        return switch (module) {
            case Q_PROJ -> heads * headSize;
            case K_PROJ, V_PROJ -> kvHeads * headSize;
            case O_PROJ, DOWN_PROJ -> hiddenSize;
            case GATE_PROJ, UP_PROJ -> intermediateSize;
        };
    }
}
