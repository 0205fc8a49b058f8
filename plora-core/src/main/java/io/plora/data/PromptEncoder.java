package io.plora.data;

import com.google.common.primitives.Ints;
import io.plora.model.Tokenizer;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Prompt and answer as plain text. The two are encoded separately, so that the prompt has the same tokens as when the
 * model is asked; the answer and the end-of-sequence token after it are trained.
 */
record PromptEncoder(Template prompt, @Nullable Template answer) implements RowEncoder {

    @Override
    public Sample encode(Row row, EncodingContext context) {
        if (answer == null) {
            throw new IllegalStateException(
                    "%s: no template for the answer. Maybe add withAnswer(\"{answer}\").".formatted(row.source()));
        }
        Tokenizer tokenizer = context.tokenizer();
        return new TokenSequence()
                .add(encodePrompt(row, context), false)
                .add(encodeAnswer(answer, row, context), true)
                .add(new int[] {tokenizer.endOfSequence()}, true)
                .toSample();
    }

    /** Tokens of the prompt, after the token that begins a sequence where the model's tokenizer adds one. */
    int[] encodePrompt(Row row, EncodingContext context) {
        OptionalInt begin = context.tokenizer().beginOfSequence();
        int[] text = context.tokenizer().encode(prompt.render(row));
        return begin.isPresent() ? Ints.concat(new int[] {begin.getAsInt()}, text) : text;
    }

    static int[] encodeAnswer(Template answer, Row row, EncodingContext context) {
        String text = answer.render(row);
        int[] tokens = context.tokenizer().encode(text);
        if (tokens.length == 0) {
            throw row.error("the answer (%s) encodes to no token. Maybe the field is empty".formatted(text));
        }
        return tokens;
    }
}
