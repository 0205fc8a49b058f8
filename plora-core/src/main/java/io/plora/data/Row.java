package io.plora.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.ImmutableList;
import org.jspecify.annotations.Nullable;

/**
 * One row of a source.
 *
 * @param source a file, or what else the rows come from
 * @param position of the row in it, such as {@code line (3)}
 * @param fields by name, in the source's order
 */
record Row(String source, String position, ObjectNode fields) {

    /** Text of a field; numbers and truth values as they are written. */
    String text(String field) {
        JsonNode value = value(field);
        if (!value.isValueNode() || value.isNull()) {
            throw error("field (%s) must be text, a number or a truth value, not (%s)".formatted(field, value));
        }
        return value.asText();
    }

    JsonNode value(String field) {
        JsonNode value = fields.get(field);
        if (value == null) {
            throw error("no field (%s), only %s. Maybe the name is misspelt"
                    .formatted(field, ImmutableList.copyOf(fields.fieldNames())));
        }
        return value;
    }

    IllegalArgumentException error(String message) {
        return error(message, null);
    }

    IllegalArgumentException error(String message, @Nullable Throwable cause) {
        return new IllegalArgumentException("%s, %s: %s.".formatted(source, position, message), cause);
    }
}
