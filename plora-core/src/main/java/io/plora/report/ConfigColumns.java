package io.plora.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.Streams;
import io.plora.space.LoraConfig;
import io.plora.space.LoraConfigJson;
import java.util.List;
import java.util.stream.Collectors;

/** The fields of {@link LoraConfigJson} as text, so that a field added there turns up in every table. */
final class ConfigColumns {
    private ConfigColumns() {}

    static List<String> names() {
        return ImmutableList.copyOf(
                LoraConfigJson.write(LoraConfig.builder().build()).fieldNames());
    }

    /** The value of the named field: target modules by their names with a space between, numbers without an exponent. */
    static String text(LoraConfig config, String name) {
        JsonNode value = LoraConfigJson.write(config).required(name);
        return value.isArray()
                ? Streams.stream(value).map(JsonNode::asText).collect(Collectors.joining(" "))
                : text(value);
    }

    private static String text(JsonNode value) {
        return value.isFloatingPointNumber()
                ? value.decimalValue().stripTrailingZeros().toPlainString()
                : value.asText();
    }
}
