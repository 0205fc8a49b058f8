package io.plora.data;

import static io.plora.data.TinyModel.CONTEXT;
import static io.plora.data.TinyModel.TOKENIZER;
import static io.plora.data.TinyModel.text;
import static io.plora.data.TinyModel.trained;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.model.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextDataTest {
    @TempDir
    private Path folder;

    private Path file(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content);
    }

    @Test
    void answersOfGsm8kAreTrainedAndTheirQuestionsAreNot() {
        Dataset data = TextData.jsonLines(TinyModel.GSM8K)
                .withPrompt("Question: {question}\nAnswer:")
                .withAnswer(" {answer}")
                .load(CONTEXT);

        assertThat(data.name()).endsWith("train.jsonl");
        assertThat(data.size()).isEqualTo(400);
        assertThat(data.truncated()).isZero();
        assertThat(data.skipped()).isZero();
        Sample third = data.samples().get(2);
        assertThat(text(third))
                .isEqualTo(
                        "Question: James has 3 more than 2 times the number of Oreos Jordan has.  If there are 36 Oreos"
                                + " total, how many does Jordan have?\nAnswer: Let x represent the number of Oreos Jordan has\n"
                                + "James:3+2x Oreos\nTotal:3+2x+x=36\n3x+3=36\n3x=33\nx=<<11=11>>11 Oreos\n#### 11<|im_end|>");
        assertThat(trained(third)).startsWith("[ Let x").endsWith("#### 11<|im_end|>]");
    }

    @Test
    void promptAndAnswerAreEncodedSeparately() {
        Sample sample = TextData.examples(List.of(Map.of("a", "to", "b", "gether")))
                .withPrompt("{a}")
                .withAnswer("{b}")
                .load(CONTEXT)
                .samples()
                .get(0);

        int promptTokens = TOKENIZER.encode("to").length;
        int answerTokens = TOKENIZER.encode("gether").length;
        assertThat(sample.length()).isEqualTo(promptTokens + answerTokens + 1);
        assertThat(sample.answerTokens()).isEqualTo(answerTokens + 1);
    }

    @Test
    void dataWithoutPromptTrainEverythingButTheFirstToken() {
        Sample sample = TextData.examples(List.of(Map.of("text", "Once upon a time")))
                .withAnswer("{text}")
                .load(CONTEXT)
                .samples()
                .get(0);

        assertThat(sample.answer()[0]).isFalse();
        assertThat(sample.answerTokens()).isEqualTo(sample.length() - 1);
    }

    @Test
    void tsvInColaLayoutHasNamedColumnsAndPlainQuotes() throws IOException {
        Path cola = file("cola.tsv", "s1\t1\t\tThe \"old\" dog slept.\ns1\t0\t*\t\"Dog the slept.\n");

        Dataset data = TextData.tsv(cola, "source", "label", "mark", "sentence")
                .withPrompt("{sentence}")
                .withAnswer(" {label}")
                .load(CONTEXT);

        assertThat(data.samples())
                .extracting(TinyModel::text)
                .containsExactly("The \"old\" dog slept. 1<|im_end|>", "\"Dog the slept. 0<|im_end|>");
    }

    @Test
    void tsvWithoutGivenColumnsHasAHeaderRow() throws IOException {
        Path tsv = file("data.tsv", "q\ta\r\n\r\nWho?\tMe\r\nWhy?\tSo");

        assertThat(TextData.tsv(tsv)
                        .withPrompt("{q}")
                        .withAnswer("{a}")
                        .load(CONTEXT)
                        .samples())
                .extracting(TinyModel::text)
                .containsExactly("Who?Me<|im_end|>", "Why?So<|im_end|>");
    }

    @Test
    void csvFieldsMayHoldCommasQuotesAndLineBreaks() throws IOException {
        Path csv = file("data.csv", "q,a\n\"Say \"\"hi\"\",\nplease\",hi\n");

        assertThat(TextData.csv(csv)
                        .withPrompt("{q}>")
                        .withAnswer("{a}")
                        .load(CONTEXT)
                        .samples())
                .extracting(TinyModel::text)
                .containsExactly("Say \"hi\",\nplease>hi<|im_end|>");
    }

    @Test
    void byteOrderMarkAndBlankLinesAreNoData() throws IOException {
        Path json = file("data.jsonl", "\uFEFF{\"t\": \"one\"}\r\n\n  \n{\"t\": \"two\"}");
        Path csv = file("data.csv", "\uFEFFt\none\n\n  \ntwo\n");

        for (TextData rows : List.of(TextData.jsonLines(json), TextData.csv(csv))) {
            assertThat(rows.withAnswer("{t}").load(CONTEXT).samples())
                    .extracting(TinyModel::text)
                    .containsExactly("one<|im_end|>", "two<|im_end|>");
        }
    }

    @Test
    void numbersAndTruthValuesBecomeTextAsTheyAreWritten() throws IOException {
        Path json = file("data.jsonl", "{\"i\": 12345678901234567890, \"d\": 18.00, \"b\": true}\n");

        assertThat(TextData.jsonLines(json)
                        .withAnswer("{i} {d} {b}")
                        .load(CONTEXT)
                        .samples())
                .extracting(TinyModel::text)
                .containsExactly("12345678901234567890 18.00 true<|im_end|>");
    }

    @Test
    void doubledBracesAreBraces() {
        assertThat(TextData.examples(List.of(Map.of("a", "{x}")))
                        .withPrompt("{{\"{a}\": {{}}}}")
                        .withAnswer("!")
                        .load(CONTEXT)
                        .samples())
                .extracting(TinyModel::text)
                .containsExactly("{\"{x}\": {}}!<|im_end|>");
    }

    @Test
    void limitReadsTheFirstRowsOnly() throws IOException {
        Path json = file("data.jsonl", "{\"t\": \"one\"}\n{\"t\": \"two\"}\nno JSON\n");

        assertThat(TextData.jsonLines(json)
                        .withAnswer("{t}")
                        .withLimit(2)
                        .load(CONTEXT)
                        .size())
                .isEqualTo(2);
    }

    @Test
    void loadingTwiceGivesTheSameSamples() {
        TextData data =
                TextData.jsonLines(TinyModel.GSM8K).withAnswer("{answer}").withLimit(5);

        assertThat(data.load(CONTEXT)).isEqualTo(data.load(CONTEXT));
    }

    @Test
    void promptStartsWithTheTokenThatTheModelsTokenizerPutsThere() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.open(modelThatAddsEndOfText())) {
            EncodingContext context =
                    new EncodingContext(tokenizer, Optional.empty(), TinyModel.VOCABULARY, 2048, TooLong.REFUSE);

            Sample sample = TextData.examples(List.of(Map.of("q", "Who?", "a", " Me")))
                    .withPrompt("{q}")
                    .withAnswer("{a}")
                    .load(context)
                    .samples()
                    .get(0);

            assertThat(text(sample)).isEqualTo("<|endoftext|>Who? Me<|im_end|>");
            assertThat(trained(sample)).isEqualTo("[ Me<|im_end|>]");
        }
    }

    private Path modelThatAddsEndOfText() throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode tokenizer = (ObjectNode)
                mapper.readTree(TinyModel.FOLDER.resolve("tokenizer.json").toFile());
        tokenizer.set("post_processor", mapper.readTree("""
                {"type": "TemplateProcessing",
                 "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                 "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                 "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}}}
                """));
        mapper.writeValue(folder.resolve("tokenizer.json").toFile(), tokenizer);
        Files.copy(TinyModel.FOLDER.resolve("tokenizer_config.json"), folder.resolve("tokenizer_config.json"));
        return folder;
    }
}
