package io.plora.data;

import static io.plora.data.TinyModel.CONTEXT;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextDataErrorsTest {
    @TempDir
    private Path folder;

    private Path file(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content);
    }

    private TextData jsonLines(String content) throws IOException {
        return TextData.jsonLines(file("data.jsonl", content)).withPrompt("{q}").withAnswer("{a}");
    }

    private static AbstractThrowableAssert<?, ?> assertRefused(TextData data) {
        return assertThatThrownBy(() -> data.load(CONTEXT)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void missingFile() {
        Path missing = folder.resolve("missing.jsonl");

        assertThatThrownBy(() -> TextData.jsonLines(missing).withAnswer("{a}").load(CONTEXT))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContainingAll(missing.toString(), "cannot be read", "NoSuchFile");
    }

    @Test
    void folderInPlaceOfAFile() {
        assertThatThrownBy(() -> TextData.csv(folder).withAnswer("{a}").load(CONTEXT))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContainingAll(folder + ": cannot be read", "Is a directory");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n\n", "\uFEFF"})
    void emptyFile(String content) throws IOException {
        assertRefused(jsonLines(content)).hasMessageContainingAll("data.jsonl", "no samples");
        assertRefused(TextData.csv(file("data.csv", content)).withAnswer("{a}"))
                .hasMessageContainingAll("data.csv", "no samples");
    }

    @Test
    void headerWithoutRows() throws IOException {
        assertRefused(TextData.tsv(file("data.tsv", "q\ta\n")).withAnswer("{a}"))
                .hasMessageContainingAll("data.tsv", "no samples");
    }

    @Test
    void noExamples() {
        assertRefused(TextData.examples(List.of()).withAnswer("{a}")).hasMessageContaining("examples: no samples");
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain text", "{\"q\": \"x\"", "{\"q\": \"x\"} {}", "{'q': 'x'}", "{\"q\": NaN}"})
    void lineThatIsNoJson(String line) throws IOException {
        assertRefused(jsonLines("{\"q\": \"x\", \"a\": \"y\"}\n\n" + line + "\n"))
                .hasMessageContainingAll("data.jsonl, line (3)", "no valid JSON");
    }

    @ParameterizedTest
    @ValueSource(strings = {"[1, 2]", "\"text\"", "null", "7"})
    void lineThatIsNoObject(String line) throws IOException {
        assertRefused(jsonLines(line)).hasMessageContainingAll("data.jsonl, line (1)", "must be a JSON object");
    }

    @Test
    void missingFieldListsTheFieldsThereAre() throws IOException {
        assertRefused(jsonLines("{\"question\": \"x\", \"a\": \"y\"}"))
                .hasMessageContainingAll("data.jsonl, line (1)", "no field (q)", "[question, a]");
        assertRefused(TextData.tsv(file("data.tsv", "x\ty\n"), "left", "right").withAnswer("{middle}"))
                .hasMessageContainingAll("data.tsv, line (1)", "no field (middle)", "[left, right]");
        assertRefused(TextData.examples(List.of(Map.of("a", "y"))).withAnswer("{b}"))
                .hasMessageContainingAll("example (1)", "no field (b)", "[a]");
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "[1]", "{\"b\": 1}"})
    void fieldThatIsNoText(String value) throws IOException {
        assertRefused(jsonLines("{\"q\": \"x\", \"a\": " + value + "}"))
                .hasMessageContainingAll("line (1)", "field (a) must be text");
    }

    @Test
    void emptyAnswer() throws IOException {
        assertRefused(jsonLines("{\"q\": \"x\", \"a\": \"y\"}\n{\"q\": \"x\", \"a\": \"\"}"))
                .hasMessageContainingAll("line (2)", "answer () encodes to no token");
    }

    @Test
    void malformedUtf8NamesItsLine() throws IOException {
        byte[] latin = "ab,\u00e4\n".getBytes(StandardCharsets.ISO_8859_1);
        Path csv = folder.resolve("latin.csv");
        Files.write(csv, "q,a\nx,y\n".getBytes(StandardCharsets.UTF_8));
        Files.write(csv, latin, java.nio.file.StandardOpenOption.APPEND);

        assertRefused(TextData.csv(csv).withAnswer("{a}"))
                .hasMessageContainingAll("latin.csv, line (3)", "not valid UTF-8");
        assertRefused(TextData.tsv(csv, "all").withAnswer("{all}")).hasMessageContainingAll("line (3)", "UTF-8");
    }

    @Test
    void malformedUtf8InJsonLinesNamesItsLine() throws IOException {
        Path json = folder.resolve("latin.jsonl");
        Files.write(json, "{\"a\": \"y\"}\n{\"a\": \"\u00e4\"}\n".getBytes(StandardCharsets.ISO_8859_1));

        assertRefused(TextData.jsonLines(json).withAnswer("{a}"))
                .hasMessageContainingAll("latin.jsonl, line (2)", "not valid UTF-8");
    }

    @Test
    void rowWithAnotherNumberOfColumns() throws IOException {
        assertRefused(TextData.tsv(file("data.tsv", "q\ta\nx\ty\nx y\n")).withAnswer("{a}"))
                .hasMessageContainingAll("data.tsv, line (3)", "(1) columns instead of the (2) named [q, a]");
        assertRefused(TextData.csv(file("data.csv", "q,a\n\"x\n\",y\n\"\nx\",y,z\n"))
                        .withAnswer("{a}"))
                .hasMessageContainingAll("data.csv, line (4)", "(3) columns");
    }

    @Test
    void quoteThatIsNotClosed() throws IOException {
        assertRefused(TextData.csv(file("data.csv", "q,a\nx,\"y\n")).withAnswer("{a}"))
                .hasMessageContainingAll("data.csv", "line (2)", "quote is not closed");
    }

    @Test
    void columnNamesThatAreDoubleOrBlank() throws IOException {
        Path tsv = file("data.tsv", "a\ta\n");

        assertRefused(TextData.tsv(tsv).withAnswer("{a}")).hasMessageContainingAll("data.tsv", "[a, a]");
        assertThatThrownBy(() -> TextData.tsv(tsv, "a", " ")).hasMessageContainingAll("data.tsv", "[a,  ]");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{q", "q}", "{}", "{{q}", "{a{b}}"})
    void bracesThatDoNotMatch(String template) {
        TextData data = TextData.examples(List.of());

        assertThatThrownBy(() -> data.withPrompt(template))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("Template (" + template + ")", "write {{ or }}");
    }

    @Test
    void templatesThatAreMissingOrDoNotGoTogether() {
        TextData data = TextData.examples(List.of(Map.of("a", "y")));

        assertThatThrownBy(() -> data.load(CONTEXT)).hasMessageContaining("no template");
        assertThatThrownBy(() -> data.withPrompt("{a}").load(CONTEXT)).hasMessageContaining("withAnswer");
        assertThatThrownBy(() -> data.withPrompt("{a}").withChat("{a}", "{a}"))
                .hasMessageContaining("the templates are set already");
        assertThatThrownBy(() -> data.withChat("{a}", "{a}").withAnswer("{a}"))
                .hasMessageContaining("cannot be combined");
        assertThatThrownBy(() -> data.withSystem("{a}")).hasMessageContaining("must come after withChat");
        assertThatThrownBy(() -> data.withLimit(0)).hasMessageContaining("limit (0)");
    }

    @Test
    void tokenizerThatKnowsMoreTokensThanTheModel() {
        EncodingContext small = new EncodingContext(
                CONTEXT.tokenizer(), CONTEXT.chatTemplate(), 10, CONTEXT.maxLength(), TooLong.REFUSE);

        assertThatThrownBy(() -> TextData.examples(List.of(Map.of("a", "Hello")))
                        .withAnswer("{a}")
                        .load(small))
                .hasMessageContainingAll("example (1)", "vocabulary of (10)");
    }
}
