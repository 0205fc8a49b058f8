package io.plora.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.model.ModelFormatException;
import io.plora.model.StrictJson;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;

/** PEFT's {@code adapter_config.json}: what it says of a {@link LoraConfig}, and what of it cannot be run here. */
final class AdapterConfigFile {

    static final String NAME = "adapter_config.json";

    /** Features that change what an adapter computes, as of PEFT 0.21; off when absent, null, false or empty. */
    private static final List<String> UNSUPPORTED_FEATURES = List.of(
            "alora_invocation_tokens",
            "alpha_pattern",
            "arrow_config",
            "fan_in_fan_out",
            "kasa_config",
            "layer_replication",
            "layers_to_transform",
            "lora_bias",
            "modules_to_save",
            "monteclora_config",
            "rank_pattern",
            "target_parameters",
            "trainable_token_indices",
            "use_bdlora",
            "use_dora",
            "use_qalora");

    /** Starts that change the base model's weights as well. */
    private static final List<String> UNSUPPORTED_STARTS = List.of("corda", "loftq", "lora_ga", "olora", "pissa");

    private final Path file;
    private final ObjectNode json;

    private AdapterConfigFile(Path file, ObjectNode json) {
        this.file = file;
        this.json = json;
    }

    /**
     * @throws ModelFormatException if the file is missing, malformed or of an adapter that cannot be run
     */
    static AdapterConfigFile read(Path folder) {
        Path file = folder.resolve(NAME);
        AdapterConfigFile config = new AdapterConfigFile(file, StrictJson.readObject(file));
        config.requireSupported();
        return config;
    }

    static void write(Path folder, LoraConfig config, String baseModel) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("base_model_name_or_path", baseModel);
        json.put("bias", "none");
        json.put("fan_in_fan_out", false);
        json.put("inference_mode", true);
        if (config.alpha() == Math.rint(config.alpha()) && config.alpha() <= Integer.MAX_VALUE) {
            json.put("lora_alpha", (int) config.alpha());
        } else {
            json.put("lora_alpha", config.alpha());
        }
        json.put("lora_dropout", config.dropout());
        json.put("peft_type", "LORA");
        json.put("r", config.rank());
        ArrayNode modules = json.putArray("target_modules");
        config.targetModules().stream().map(TargetModule::moduleName).sorted().forEach(modules::add);
        json.put("task_type", "CAUSAL_LM");
        json.put("use_rslora", config.rankStabilized());
        StrictJson.writeObject(folder.resolve(NAME), json);
    }

    private void requireSupported() {
        field("peft_type", value -> value.asText().equals("LORA"), "LORA");
        field("task_type", value -> isOff(value) || value.asText().equals("CAUSAL_LM"), "CAUSAL_LM");
        field("bias", value -> isOff(value) || value.asText().equals("none"), "none");
        for (String feature : UNSUPPORTED_FEATURES) {
            requireSupported(isOff(json.path(feature)), feature);
        }
        String start = json.path("init_lora_weights").asText().toLowerCase(Locale.ROOT);
        requireSupported(UNSUPPORTED_STARTS.stream().noneMatch(start::startsWith), "init_lora_weights");
    }

    private static boolean isOff(JsonNode value) {
        return value.isValueNode()
                ? value.isNull() || value.isBoolean() && !value.booleanValue()
                : value.isEmpty(); // also when absent
    }

    private void requireSupported(boolean supported, String field) {
        if (!supported) {
            throw new ModelFormatException(
                    file,
                    "%s (%s) is not supported. Maybe train the adapter without it.".formatted(field, json.path(field)));
        }
    }

    /** The configuration: PEFT's fields from this file, those that PEFT does not know from {@code others}. */
    LoraConfig config(LoraConfig others) {
        try {
            return others.toBuilder()
                    .withRank(field("r", JsonNode::isInt, "a whole number").intValue())
                    .withAlpha(
                            field("lora_alpha", JsonNode::isNumber, "a number").doubleValue())
                    .withTargetModules(targetModules())
                    .withDropout(optional("lora_dropout", JsonNode::isNumber, "a number")
                            .doubleValue())
                    .withRankStabilized(optional("use_rslora", JsonNode::isBoolean, "true or false")
                            .booleanValue())
                    .build();
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(file, e.getMessage(), e);
        }
    }

    String baseModel() {
        return json.path("base_model_name_or_path").asText("");
    }

    private List<TargetModule> targetModules() {
        List<TargetModule> modules = new ArrayList<>();
        field("target_modules", JsonNode::isArray, "a list of module names")
                .forEach(module -> modules.add(TargetModule.of(module.asText())));
        return modules;
    }

    private JsonNode field(String name, Predicate<JsonNode> valid, String expected) {
        JsonNode value = json.path(name);
        if (!valid.test(value)) {
            throw new ModelFormatException(
                    file,
                    "%s (%s) must be %s. Maybe this is no LoRA adapter of a causal language model."
                            .formatted(name, value.isMissingNode() ? "missing" : value, expected));
        }
        return value;
    }

    private JsonNode optional(String name, Predicate<JsonNode> valid, String expected) {
        return json.has(name) ? field(name, valid, expected) : json.path(name);
    }
}
