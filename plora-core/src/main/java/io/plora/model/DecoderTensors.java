package io.plora.model;

import io.plora.space.TargetModule;
import java.util.LinkedHashMap;
import java.util.Map;

/** Names and shapes of the tensors of a decoder in a Hugging Face checkpoint. */
public final class DecoderTensors {
    static final String EMBEDDING = "model.embed_tokens.weight"; // (V, H)
    static final String FINAL_NORM = "model.norm.weight"; // (H)
    static final String LM_HEAD = "lm_head.weight"; // (V, H)

    private DecoderTensors() {}

    static String inputNorm(int layer) {
        return "model.layers.%d.input_layernorm.weight".formatted(layer);
    }

    static String postNorm(int layer) {
        return "model.layers.%d.post_attention_layernorm.weight".formatted(layer);
    }

    static String weight(int layer, TargetModule module) {
        return "model.layers.%d.%s.weight".formatted(layer, module.path());
    }

    static String bias(int layer, TargetModule module) {
        return "model.layers.%d.%s.bias".formatted(layer, module.path());
    }

    static boolean hasBias(ModelConfig config, TargetModule module) {
        return switch (module) {
            case Q_PROJ, K_PROJ, V_PROJ -> config.qkvBias();
            case O_PROJ -> config.outputBias();
            case GATE_PROJ, UP_PROJ, DOWN_PROJ -> false;
        };
    }

    /** Shape of every tensor that a model needs; with tied embeddings it needs no output layer. */
    public static Map<String, long[]> shapes(ModelConfig config) {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(EMBEDDING, new long[] {config.vocabularySize(), config.hiddenSize()});
        for (int layer = 0; layer < config.layers(); layer++) {
            shapes.put(inputNorm(layer), new long[] {config.hiddenSize()});
            for (TargetModule module : TargetModule.values()) {
                shapes.put(weight(layer, module), new long[] {config.outputs(module), config.inputs(module)});
                if (hasBias(config, module)) {
                    shapes.put(bias(layer, module), new long[] {config.outputs(module)});
                }
            }
            shapes.put(postNorm(layer), new long[] {config.hiddenSize()});
        }
        shapes.put(FINAL_NORM, new long[] {config.hiddenSize()});
        if (!config.tiedEmbeddings()) {
            shapes.put(LM_HEAD, new long[] {config.vocabularySize(), config.hiddenSize()});
        }
        return shapes;
    }
}
