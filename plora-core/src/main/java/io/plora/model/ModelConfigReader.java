package io.plora.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.model.RopeConfig.Llama3Scaling;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads config.json and refuses what the decoder does not compute, rather than compute something else. */
final class ModelConfigReader {
    static final String LLAMA = "llama";
    static final String QWEN2 = "qwen2";

    private static final Map<String, String> ARCHITECTURES =
            Map.of(LLAMA, "LlamaForCausalLM", QWEN2, "Qwen2ForCausalLM");
    private static final String PARTIAL_ROTARY_FACTOR = "partial_rotary_factor";
    private static final int MIN_HEAD_SIZE = 32;
    private static final int MAX_HEAD_SIZE = 128;

    // what transformers takes where the file says nothing
    private static final double DEFAULT_RMS_NORM_EPSILON = 1e-6;
    private static final double DEFAULT_ROPE_THETA = 10_000;

    private final Path file;
    private final ObjectNode json;

    ModelConfigReader(Path modelFolder) {
        file = modelFolder.resolve("config.json");
        json = StrictJson.readObject(file);
    }

    ModelConfig read() {
        String family = family();
        requireSupported();
        int hiddenSize = size(json, "hidden_size");
        int layers = size(json, "num_hidden_layers");
        requireFullAttention(layers);
        int heads = size(json, "num_attention_heads");
        int kvHeads = present("num_key_value_heads") ? size(json, "num_key_value_heads") : heads;
        require(heads % kvHeads == 0, "num_key_value_heads (%d) must divide num_attention_heads (%d).", kvHeads, heads);
        return new ModelConfig(
                family,
                hiddenSize,
                size(json, "intermediate_size"),
                layers,
                heads,
                kvHeads,
                headSize(hiddenSize, heads),
                size(json, "vocab_size"),
                positive(json, "rms_norm_eps", DEFAULT_RMS_NORM_EPSILON),
                rope(),
                flag("tie_word_embeddings"),
                family.equals(QWEN2) || flag("attention_bias"),
                size(json, "max_position_embeddings"));
    }

    private String family() {
        JsonNode family = json.path("model_type");
        String architecture = ARCHITECTURES.get(family.asText());
        require(
                architecture != null,
                "model_type (%s) is not supported. Maybe use a model of type llama or qwen2.",
                family.asText());
        JsonNode architectures = json.path("architectures");
        boolean named = architectures.isMissingNode() || architectures.isNull();
        for (JsonNode candidate : architectures) {
            named |= candidate.asText().equals(architecture);
        }
        require(
                named,
                "architectures (%s) is not supported. Maybe use the causal language model (%s).",
                architectures,
                architecture);
        return family.asText();
    }

    private void requireSupported() {
        require(
                !present("quantization_config"),
                "quantization_config (%s) is not supported. Maybe use the unquantized model.",
                json.path("quantization_config").path("quant_method").asText());
        require(!flag("mlp_bias"), "mlp_bias (true) is not supported.");
        require(
                !present("hidden_act") || json.path("hidden_act").asText().equals("silu"),
                "hidden_act (%s) is not supported, only silu.",
                json.path("hidden_act").asText());
    }

    private void requireFullAttention(int layers) {
        for (JsonNode type : json.path("layer_types")) {
            require(
                    type.asText().equals("full_attention"),
                    "layer_types (%s) is not supported, only full_attention.",
                    type.asText());
        }
        boolean windowed = flag("use_sliding_window")
                && present("sliding_window")
                && json.path("max_window_layers").asInt(0) < layers;
        require(!windowed, "sliding_window (%s) is in use, which is not supported.", json.path("sliding_window"));
    }

    private int headSize(int hiddenSize, int heads) {
        require(
                present("head_dim") || hiddenSize % heads == 0,
                "num_attention_heads (%d) must divide hidden_size (%d), or head_dim must be given.",
                heads,
                hiddenSize);
        int headSize = present("head_dim") ? size(json, "head_dim") : hiddenSize / heads;
        require(
                headSize % 2 == 0 && headSize >= MIN_HEAD_SIZE && headSize <= MAX_HEAD_SIZE,
                "head size (%d) is not supported, only even sizes from %d to %d.",
                headSize,
                MIN_HEAD_SIZE,
                MAX_HEAD_SIZE);
        return headSize;
    }

    /** Newer writers put everything into rope_parameters, older ones theta beside rope_scaling. */
    private RopeConfig rope() {
        JsonNode parameters = present("rope_parameters") ? json.path("rope_parameters") : json.path("rope_scaling");
        double theta = positive(parameters.has("rope_theta") ? parameters : json, "rope_theta", DEFAULT_ROPE_THETA);
        JsonNode rotated = parameters.has(PARTIAL_ROTARY_FACTOR)
                ? parameters.path(PARTIAL_ROTARY_FACTOR)
                : json.path(PARTIAL_ROTARY_FACTOR);
        require(
                rotated.asDouble(1) == 1,
                "%s (%s) is not supported, only 1: every value of a head rotates.",
                PARTIAL_ROTARY_FACTOR,
                rotated);
        String type =
                parameters.path("rope_type").asText(parameters.path("type").asText("default"));
        return new RopeConfig(
                theta,
                switch (type) {
                    case "default" -> null;
                    case "llama3" -> llama3Scaling(parameters);
                    default ->
                        throw new ModelFormatException(
                                file,
                                "rope type (%s) is not supported, only default and llama3. Maybe use a model that was trained with one of these."
                                        .formatted(type));
                });
    }

    private Llama3Scaling llama3Scaling(JsonNode parameters) {
        double low = positive(parameters, "low_freq_factor", null);
        double high = positive(parameters, "high_freq_factor", null);
        require(low < high, "low_freq_factor (%s) must be below high_freq_factor (%s).", low, high);
        return new Llama3Scaling(
                positive(parameters, "factor", null), low, high, size(parameters, "original_max_position_embeddings"));
    }

    private boolean present(String name) {
        return json.hasNonNull(name);
    }

    /** A switch that is off where the file does not name it, as in both families. */
    private boolean flag(String name) {
        JsonNode value = json.path(name);
        require(
                value.isBoolean() || value.isMissingNode() || value.isNull(),
                "%s (%s) must be true or false.",
                name,
                value);
        return value.booleanValue();
    }

    private int size(JsonNode parent, String name) {
        JsonNode value = parent.path(name);
        require(value.isInt() && value.intValue() > 0, "%s (%s) must be a positive whole number.", name, value);
        return value.intValue();
    }

    private double positive(JsonNode parent, String name, @Nullable Double otherwise) {
        JsonNode value = parent.path(name);
        if (otherwise != null && (value.isMissingNode() || value.isNull())) {
            return otherwise;
        }
        require(value.isNumber() && value.doubleValue() > 0, "%s (%s) must be a positive number.", name, value);
        return value.doubleValue();
    }

    private void require(boolean valid, String problem, @Nullable Object... values) {
        if (!valid) {
            throw new ModelFormatException(file, problem.formatted(values));
        }
    }
}
