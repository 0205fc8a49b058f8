package io.plora.data;

import io.plora.model.ChatTemplate;
import io.plora.model.Tokenizer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/** The bundled model's tokenizer and chat template. */
final class TinyModel {
    static final Path FOLDER = Path.of("../plora-examples/models/tiny-qwen2");
    static final Path GSM8K = Path.of("../plora-examples/data/gsm8k/train.jsonl");
    static final int VOCABULARY = 4096;
    static final int END_OF_TURN = 2;

    static final Tokenizer TOKENIZER = Tokenizer.open(FOLDER);
    static final EncodingContext CONTEXT =
            new EncodingContext(TOKENIZER, ChatTemplate.open(FOLDER), VOCABULARY, 2048, TooLong.REFUSE);
    static final EncodingContext WITHOUT_CHAT_TEMPLATE =
            new EncodingContext(TOKENIZER, Optional.empty(), VOCABULARY, 2048, TooLong.REFUSE);

    private TinyModel() {}

    static String text(Sample sample) {
        return TOKENIZER.decode(sample.tokens());
    }

    /** The trained tokens as text, each run of them in brackets. */
    static String trained(Sample sample) {
        StringBuilder text = new StringBuilder();
        int start = 0;
        while (start < sample.length()) {
            int end = start;
            while (end < sample.length() && sample.answer()[end]) {
                end++;
            }
            if (end > start) {
                text.append('[')
                        .append(TOKENIZER.decode(Arrays.copyOfRange(sample.tokens(), start, end)))
                        .append(']');
            }
            start = end + 1;
        }
        return text.toString();
    }
}
