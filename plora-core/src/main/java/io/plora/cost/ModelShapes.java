package io.plora.cost;

import com.google.common.collect.ImmutableMap;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.model.RopeConfig.Llama3Scaling;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Shapes of well-known base models, from the config.json of their published checkpoints, so that a sweep can be planned
 * before anything is downloaded. For any other model there is {@link ModelConfig#read}.
 */
public final class ModelShapes {
    private static final Map<String, ModelConfig> SHAPES = ImmutableMap.<String, ModelConfig>builder()
            .put("Qwen2.5-0.5B", qwen(896, 4864, 24, 14, 2, 64, 151_936, true, 1e-6, 32_768))
            .put("Qwen2.5-1.5B", qwen(1536, 8960, 28, 12, 2, 128, 151_936, true, 1e-6, 131_072))
            .put("Qwen2.5-3B", qwen(2048, 11_008, 36, 16, 2, 128, 151_936, true, 1e-6, 32_768))
            .put("Qwen2.5-7B", qwen(3584, 18_944, 28, 28, 4, 128, 152_064, false, 1e-6, 131_072))
            .put("Qwen2.5-14B", qwen(5120, 13_824, 48, 40, 8, 128, 152_064, false, 1e-5, 131_072))
            .put("Qwen2.5-32B", qwen(5120, 27_648, 64, 40, 8, 128, 152_064, false, 1e-5, 131_072))
            .put("Llama-3.2-1B", llama(2048, 8192, 16, 32, 64, true, 32))
            .put("Llama-3.2-3B", llama(3072, 8192, 28, 24, 128, true, 32))
            .put("Llama-3.1-8B", llama(4096, 14_336, 32, 32, 128, false, 8))
            .put("Llama-3.1-70B", llama(8192, 28_672, 80, 64, 128, false, 8))
            .build();

    private ModelShapes() {}

    /** Names of all shapes, such as {@code Qwen2.5-7B}. */
    public static List<String> names() {
        return List.copyOf(SHAPES.keySet());
    }

    /**
     * The shape of a model.
     *
     * @param name such as {@code Qwen2.5-7B}; also with its publisher or the ending of its instruction-tuned variant, as in
     *     {@code Qwen/Qwen2.5-7B-Instruct}, which has the same shape
     * @throws IllegalArgumentException if it is not among the {@link #names}
     */
    public static ModelConfig of(String name) {
        String wanted = name.substring(name.lastIndexOf('/') + 1)
                .toLowerCase(Locale.ROOT)
                .replaceFirst("-instruct$", "")
                .replaceFirst("^meta-", "");
        return SHAPES.entrySet().stream()
                .filter(shape -> shape.getKey().toLowerCase(Locale.ROOT).equals(wanted))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "No built-in shape of model (%s). Maybe use one of %s, or read the config.json of its folder."
                                .formatted(name, String.join(", ", names()))));
    }

    private static ModelConfig qwen(
            int hidden,
            int intermediate,
            int layers,
            int heads,
            int kvHeads,
            int headSize,
            int vocabulary,
            boolean tied,
            double epsilon,
            int positions) {
        return new ModelConfig(
                "qwen2",
                hidden,
                intermediate,
                layers,
                heads,
                kvHeads,
                headSize,
                vocabulary,
                epsilon,
                new RopeConfig(1e6, null),
                tied,
                true,
                positions);
    }

    private static ModelConfig llama(
            int hidden, int intermediate, int layers, int heads, int headSize, boolean tied, double ropeFactor) {
        return new ModelConfig(
                "llama",
                hidden,
                intermediate,
                layers,
                heads,
                8,
                headSize,
                128_256,
                1e-5,
                new RopeConfig(5e5, new Llama3Scaling(ropeFactor, 1, 4, 8192)),
                tied,
                false,
                131_072);
    }
}
