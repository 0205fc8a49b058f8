package io.plora.space;

import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * JSON of a {@link LoraConfig}: one field for each component, in snake case as in {@link SearchSpace#csv}, target modules by
 * their names in checkpoints. What is written reads back as an equal configuration, to the last bit of every number.
 */
public final class LoraConfigJson {

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .addMixIn(TargetModule.class, TargetModuleNames.class)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .build();

    private interface TargetModuleNames {
        @JsonValue
        String moduleName();
    }

    private LoraConfigJson() {}

    /** Fields in the order of the components. */
    public static ObjectNode write(LoraConfig config) {
        return MAPPER.valueToTree(config);
    }

    /**
     * @throws IllegalArgumentException if a field is missing, unknown or has a value that it cannot have
     */
    public static LoraConfig read(JsonNode json) {
        if (!json.isObject()) {
            throw new IllegalArgumentException("LoRA configuration (%s) must be a JSON object.".formatted(json));
        }
        try {
            return MAPPER.treeToValue(json, LoraConfig.class);
        } catch (ValueInstantiationException e) {
            throw e.getCause() instanceof IllegalArgumentException invalid ? invalid : malformed(json, e);
        } catch (JsonProcessingException e) {
            throw malformed(json, e);
        }
    }

    private static IllegalArgumentException malformed(JsonNode json, JsonProcessingException cause) {
        return new IllegalArgumentException(
                "LoRA configuration (%s) cannot be read: %s.".formatted(json, cause.getOriginalMessage()), cause);
    }
}
