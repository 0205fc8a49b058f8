package io.plora.data;

import io.plora.model.BaseModel;
import io.plora.model.ChatTemplate;
import io.plora.model.Tokenizer;
import java.util.Optional;

/**
 * What a model and a sweep ask of their data.
 *
 * @param tokenizer of the base model
 * @param chatTemplate of the base model, if it has one
 * @param vocabularySize of the base model: token ids are below it
 * @param maxLength longest length of a sample, in tokens, at least 2
 * @param tooLong what becomes of longer samples
 */
public record EncodingContext(
        Tokenizer tokenizer, Optional<ChatTemplate> chatTemplate, int vocabularySize, int maxLength, TooLong tooLong) {

    public EncodingContext {
        if (maxLength < 2) {
            throw new IllegalArgumentException(
                    "maxLength (%d) must be at least 2: one token to read and one to predict.".formatted(maxLength));
        }
    }

    /**
     * What a model asks of data.
     *
     * @param maxLength longest length of a sample; where it is more than the model's positions, those are
     */
    public static EncodingContext of(BaseModel model, int maxLength, TooLong tooLong) {
        return new EncodingContext(
                model.tokenizer(),
                model.chatTemplate(),
                model.config().vocabularySize(),
                Math.min(maxLength, model.config().maxPositions()),
                tooLong);
    }

    /** The same with a shorter longest length; a larger one changes nothing. */
    public EncodingContext withMaxLength(int maxLength) {
        return new EncodingContext(
                tokenizer, chatTemplate, vocabularySize, Math.min(this.maxLength, maxLength), tooLong);
    }

    public EncodingContext withTooLong(TooLong tooLong) {
        return new EncodingContext(tokenizer, chatTemplate, vocabularySize, maxLength, tooLong);
    }

    /** Refuses token ids that the model has no embedding for. */
    void checkTokens(String where, int[] tokens) {
        for (int i = 0; i < tokens.length; i++) {
            if (tokens[i] < 0 || tokens[i] >= vocabularySize) {
                throw new IllegalArgumentException(
                        "%s: token id (%d) at position (%d) is not in the model's vocabulary of (%d). Maybe the data were encoded with another model's tokenizer."
                                .formatted(where, tokens[i], i, vocabularySize));
            }
        }
    }
}
