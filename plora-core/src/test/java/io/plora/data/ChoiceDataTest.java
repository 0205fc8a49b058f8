package io.plora.data;

import static io.plora.data.TinyModel.CONTEXT;
import static io.plora.data.TinyModel.TOKENIZER;
import static io.plora.data.TinyModel.text;
import static io.plora.data.TinyModel.trained;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChoiceDataTest {
    private static final String SENTENCES = """
            made1\t1\t\tThe cat sat by the window.
            made1\t0\t*\tThe cat sat by the the.
            made2\t1\t\tNobody knew the answer.
            """;

    @TempDir
    private Path folder;

    private ChoiceData cola(String content) throws IOException {
        Path file = Files.writeString(folder.resolve("cola.tsv"), content);
        return TextData.tsv(file, "source", "label", "mark", "sentence")
                .withPrompt("{sentence}\nAcceptable?")
                .asChoices("label")
                .withCandidate("0", " no")
                .withCandidate("1", " yes");
    }

    private static AbstractThrowableAssert<?, ?> assertRefused(ChoiceData data) {
        return assertThatThrownBy(() -> data.questions(CONTEXT)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void colaBecomesQuestions() throws IOException {
        ChoiceSet set = cola(SENTENCES).questions(CONTEXT);

        assertThat(set.name()).endsWith("cola.tsv");
        assertThat(set.candidateNames()).containsExactly("0", "1");
        assertThat(set.questions()).extracting(ChoiceQuestion::label).containsExactly(1, 0, 1);
        ChoiceQuestion second = set.questions().get(1);
        assertThat(TOKENIZER.decode(second.prompt())).isEqualTo("The cat sat by the the.\nAcceptable?");
        assertThat(second.candidates()).extracting(TOKENIZER::decode).containsExactly(" no", " yes");
    }

    @Test
    void colaTrainsOnTheRightAnswer() throws IOException {
        ChoiceData cola = cola(SENTENCES);

        Dataset data = cola.load(CONTEXT);

        assertThat(data.samples())
                .extracting(TinyModel::trained)
                .containsExactly("[ yes<|im_end|>]", "[ no<|im_end|>]", "[ yes<|im_end|>]");
        assertThat(text(data.samples().get(2))).isEqualTo("Nobody knew the answer.\nAcceptable? yes<|im_end|>");
        assertThat(data.samples().get(2).tokens())
                .startsWith(cola.questions(CONTEXT).questions().get(2).prompt());
    }

    @Test
    void candidatesMayComeFromFields() {
        ChoiceData data = TextData.examples(List.of(Map.of("q", "2+2?", "first", "4", "second", "5", "right", "first")))
                .withPrompt("{q}")
                .asChoices("right")
                .withCandidate("first", " {first}")
                .withCandidate("second", " {second}");

        assertThat(data.questions(CONTEXT).questions().get(0).candidates())
                .extracting(TOKENIZER::decode)
                .containsExactly(" 4", " 5");
        assertThat(trained(data.load(CONTEXT).samples().get(0))).isEqualTo("[ 4<|im_end|>]");
    }

    @Test
    void promptThatIsTooLongLosesItsBeginning() throws IOException {
        ChoiceData cola = cola(SENTENCES);
        int longest = cola.load(CONTEXT).longest();
        EncodingContext shorter = CONTEXT.withMaxLength(longest - 1).withTooLong(TooLong.TRUNCATE);

        Dataset data = cola.load(shorter);

        assertThat(data.longest()).isEqualTo(longest - 1);
        assertThat(data.truncated()).isPositive();
        assertThat(data.skipped()).isZero();
        assertThat(data.samples())
                .allSatisfy(
                        sample -> assertThat(text(sample)).containsPattern("\nAcceptable\\? (yes|no)<\\|im_end\\|>$"));
    }

    @Test
    void questionsThatAreTooLongAreRefusedOrSkippedByChoice() throws IOException {
        ChoiceData cola = cola(SENTENCES);
        EncodingContext tiny = CONTEXT.withMaxLength(cola.questions(CONTEXT).questions().stream()
                        .mapToInt(ChoiceQuestion::longest)
                        .max()
                        .orElseThrow()
                - 1);

        assertThatThrownBy(() -> cola.questions(tiny)).hasMessageContaining("samples are longer than");
        assertThat(cola.questions(tiny.withTooLong(TooLong.SKIP)).skipped()).isPositive();
        assertThatThrownBy(() -> cola.questions(CONTEXT.withMaxLength(2).withTooLong(TooLong.TRUNCATE))
                                .size()
                        == 0)
                .hasMessageContaining("none of the (3)");
    }

    @Test
    void labelThatIsNoCandidateNamesItsLine() throws IOException {
        assertRefused(cola(SENTENCES + "made2\t2\t\tWhat.\n"))
                .hasMessageContainingAll("cola.tsv, line (4)", "label (2) is none of the candidates [0, 1]");
    }

    @Test
    void fewerThanTwoCandidatesAreRefused() {
        ChoiceData one = TextData.examples(List.of(Map.of("q", "x", "label", "a")))
                .withPrompt("{q}")
                .asChoices("label")
                .withCandidate("a", " a");

        assertThatThrownBy(() -> one.questions(CONTEXT)).hasMessageContaining("at least two candidates, not (1)");
        assertThatThrownBy(() -> one.load(CONTEXT)).hasMessageContaining("at least two candidates, not (1)");
        assertThatThrownBy(() -> one.withCandidate("a", " b")).hasMessageContaining("label (a)");
    }

    @Test
    void candidatesWithTheSameTokensAreRefused() {
        assertRefused(TextData.examples(List.of(Map.of("q", "x", "label", "a", "other", "same")))
                        .withPrompt("{q}")
                        .asChoices("label")
                        .withCandidate("a", "same")
                        .withCandidate("b", "{other}"))
                .hasMessageContainingAll("example (1)", "candidates (a) and (b) encode to the same tokens");
    }

    @Test
    void emptyPromptsAndCandidatesAreRefused() {
        TextData rows = TextData.examples(List.of(Map.of("q", "", "label", "a")));

        assertRefused(rows.withPrompt("{q}")
                        .asChoices("label")
                        .withCandidate("a", " a")
                        .withCandidate("b", " b"))
                .hasMessageContaining("the prompt encodes to no token");
        assertRefused(rows.withPrompt("x")
                        .asChoices("label")
                        .withCandidate("a", "")
                        .withCandidate("b", " b"))
                .hasMessageContaining("the answer () encodes to no token");
    }

    @Test
    void choicesTakeAPlainPromptWithoutAnswer() {
        TextData rows = TextData.examples(List.of(Map.of("q", "x", "label", "a")));

        assertThatThrownBy(() -> rows.withPrompt("{q}").withAnswer("{label}").asChoices("label"))
                .hasMessageContaining("leave withAnswer out");
        assertThatThrownBy(() -> rows.withChat("{q}", "{label}").asChoices("label"))
                .hasMessageContaining("cannot be combined");
    }
}
