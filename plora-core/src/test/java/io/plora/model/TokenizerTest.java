package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
    private static final Path TINY = Path.of("../plora-examples/models/tiny-qwen2");

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "What is 2 + 3?",
                "  two  spaces\n\nand lines\t",
                "Ünïcödé 你好 🙂",
                "<|im_start|>user\nhi<|im_end|>\n"
            })
    void decodingGivesTheTextThatWasEncoded(String text) {
        try (Tokenizer tokenizer = Tokenizer.open(TINY)) {
            assertThat(tokenizer.decode(tokenizer.encode(text))).isEqualTo(text);
        }
    }

    /** Ids of the Python package tokenizers 0.23.2. */
    @ParameterizedTest
    @MethodSource
    void idsAreThoseOfHuggingFacesTokenizers(String text, int[] ids) {
        try (Tokenizer tokenizer = Tokenizer.open(TINY)) {
            assertThat(tokenizer.encode(text)).isEqualTo(ids);
        }
    }

    static Stream<Arguments> idsAreThoseOfHuggingFacesTokenizers() {
        return Stream.of(
                arguments("<|im_end|<|im_end|>\n", new int[] {30, 94, 341, 65, 1534, 94, 2, 201}),
                arguments(" don't  I'LL", new int[] {1037, 832, 223, 387, 9, 46, 46}),
                arguments("1.5e-3 \u0661\u0662", new int[] {19, 16, 23, 71, 15, 21, 223, 152, 97, 152, 98}),
                arguments("e\u0301 \u00e9", new int[] {130, 105, 2339, 105}),
                arguments("\u00a0\u2003x\u200b", new int[] {129, 257, 710, 228, 90, 710, 236}));
    }

    @Test
    void threadsMayShareIt() {
        try (Tokenizer tokenizer = Tokenizer.open(TINY)) {
            List<int[]> alone = IntStream.range(0, 500)
                    .mapToObj(i -> tokenizer.encode("What is " + i + " + 3?"))
                    .toList();
            List<int[]> together = IntStream.range(0, 500)
                    .parallel()
                    .mapToObj(i -> tokenizer.encode("What is " + i + " + 3?"))
                    .toList();
            assertThat(together).usingRecursiveComparison().isEqualTo(alone);
        }
    }

    @Test
    void specialTokensInTheTextBecomeTheirIds() {
        try (Tokenizer tokenizer = Tokenizer.open(TINY)) {
            assertThat(tokenizer.encode("<|im_start|><|im_end|><|endoftext|>")).containsExactly(1, 2, 0);
        }
    }

    @Test
    void knowsItsSpecialTokensAndVocabulary() {
        try (Tokenizer tokenizer = Tokenizer.open(TINY)) {
            assertThat(tokenizer.endOfSequence()).isEqualTo(2);
            assertThat(tokenizer.beginOfSequence()).isEmpty();
            assertThat(tokenizer.vocabularySize()).isEqualTo(4096);
        }
    }

    @Test
    void encodesNothingToNothing() {
        try (Tokenizer tokenizer = Tokenizer.open(TINY)) {
            assertThat(tokenizer.encode("")).isEmpty();
        }
    }

    @Test
    void aTokenThatTheTokenizerPutsFirstIsItsBeginOfSequence() throws IOException {
        writeTokenizer();
        try (Tokenizer tokenizer = Tokenizer.open(folder)) {
            assertThat(tokenizer.beginOfSequence()).hasValue(3);
            assertThat(tokenizer.encode("a b")).as("none is added").containsExactly(0, 1);
        }
    }

    @Test
    void truncationAndPaddingOfTheFileAreSwitchedOff() throws IOException {
        writeTokenizer();
        try (Tokenizer tokenizer = Tokenizer.open(folder)) {
            assertThat(tokenizer.encode("a b a b a b")).hasSize(6);
            assertThat(tokenizer.encode("a")).hasSize(1);
        }
    }

    @Test
    void endOfSequenceComesFromTheFirstFileThatNamesOne() throws IOException {
        writeTokenizer();
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": 1}");
        assertThat(endOfSequence()).isEqualTo(1);
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": [0, 1]}");
        assertThat(endOfSequence()).isEqualTo(0);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": {\"content\": \"<e>\"}}");
        assertThat(endOfSequence()).isEqualTo(4);
    }

    @Test
    void missingEndOfSequenceIsSaid() throws IOException {
        writeTokenizer();
        assertThatThrownBy(this::endOfSequence)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining(folder.toString())
                .hasMessageContaining("eos_token");
    }

    @Test
    void endOfSequenceThatIsNoTokenIsRefused() throws IOException {
        writeTokenizer();
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"a b\"}");
        assertThatThrownBy(() -> Tokenizer.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("tokenizer_config.json")
                .hasMessageContaining("(a b)");
    }

    @Test
    void missingTokenizerIsRefused() {
        assertThatThrownBy(() -> Tokenizer.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("tokenizer.json").toString())
                .hasMessageContaining("Maybe");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{\"version\": ", "{\"version\": \"1.0\"}"})
    void malformedTokenizerIsRefused(String json) throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), json);
        assertThatThrownBy(() -> Tokenizer.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("tokenizer.json").toString());
    }

    private int endOfSequence() {
        try (Tokenizer tokenizer = Tokenizer.open(folder)) {
            return tokenizer.endOfSequence();
        }
    }

    /** Words a and b, a begin-of-sequence token that is added, truncation to 2 tokens and padding to 4. */
    private void writeTokenizer() throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), """
                {
                  "version": "1.0",
                  "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
                  "padding": {"strategy": {"Fixed": 4}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 4, "pad_type_id": 0, "pad_token": "<e>"},
                  "added_tokens": [
                    {"id": 3, "content": "<b>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
                    {"id": 4, "content": "<e>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
                  "normalizer": null,
                  "pre_tokenizer": {"type": "Whitespace"},
                  "post_processor": {"type": "TemplateProcessing",
                    "single": [{"SpecialToken": {"id": "<b>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                    "special_tokens": {"<b>": {"id": "<b>", "ids": [3], "tokens": ["<b>"]}}},
                  "decoder": null,
                  "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "?": 2}, "unk_token": "?"}
                }
                """);
    }
}
