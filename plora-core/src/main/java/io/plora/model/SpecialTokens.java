package io.plora.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Texts of the special tokens that tokenizer_config.json names; null where it names none.
 *
 * @param beginOfSequence such as {@code <|begin_of_text|>}
 * @param endOfSequence such as {@code <|im_end|>}
 */
record SpecialTokens(
        @Nullable String beginOfSequence, @Nullable String endOfSequence) {

    static SpecialTokens read(Path modelFolder) {
        ObjectNode config = StrictJson.readObjectIfPresent(modelFolder.resolve("tokenizer_config.json"));
        return new SpecialTokens(text(config.path("bos_token")), text(config.path("eos_token")));
    }

    /** A token is given as its text or, by older writers, as an object that holds it. */
    private static @Nullable String text(JsonNode token) {
        JsonNode content = token.isObject() ? token.path("content") : token;
        return content.isTextual() ? content.textValue() : null;
    }
}
