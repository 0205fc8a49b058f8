package io.plora.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.plora.model.ChatMessage;
import java.util.ArrayList;
import java.util.List;

/** The messages of a row. */
@FunctionalInterface
interface Conversation {
    String SYSTEM = "system";
    String USER = "user";
    String ASSISTANT = "assistant";

    List<ChatMessage> of(Row row);

    /** One question, one answer. */
    static Conversation ofTemplates(Template user, Template assistant) {
        return row ->
                List.of(new ChatMessage(USER, user.render(row)), new ChatMessage(ASSISTANT, assistant.render(row)));
    }

    /** A field that holds an array of {role, content}, or its JSON text. */
    static Conversation ofField(String field) {
        return row -> {
            JsonNode array = array(row, field);
            List<ChatMessage> messages = new ArrayList<>();
            for (JsonNode message : array) {
                messages.add(new ChatMessage(
                        text(row, field, messages.size(), message, "role"),
                        text(row, field, messages.size(), message, "content")));
            }
            return messages;
        };
    }

    /** The same, begun by a system message in rows that have none. */
    default Conversation withSystem(Template system) {
        return row -> {
            List<ChatMessage> messages = new ArrayList<>(of(row));
            if (messages.stream().noneMatch(message -> message.role().equals(SYSTEM))) {
                messages.add(0, new ChatMessage(SYSTEM, system.render(row)));
            }
            return messages;
        };
    }

    private static JsonNode array(Row row, String field) {
        JsonNode value = row.value(field);
        try {
            JsonNode array = value.isTextual() ? JsonLines.MAPPER.readTree(value.textValue()) : value;
            if (array.isArray()) {
                return array;
            }
            throw row.error("field (%s) must be an array of messages, not (%s)".formatted(field, array.getNodeType()));
        } catch (JsonProcessingException e) {
            throw row.error("field (%s) holds no valid JSON: %s".formatted(field, e.getOriginalMessage()), e);
        }
    }

    private static String text(Row row, String field, int index, JsonNode message, String key) {
        JsonNode value = message.path(key);
        if (!value.isTextual()) {
            throw row.error("message (%d) in field (%s) must have a text (%s). Found: %s"
                    .formatted(index + 1, field, key, message));
        }
        return value.textValue();
    }
}
