package io.plora.examples;

import io.plora.data.ChoiceData;
import io.plora.data.TextData;
import java.nio.file.Files;
import java.nio.file.Path;

/** The small model and the data that come with the examples. */
public final class ExampleFiles {
    private ExampleFiles() {}

    /** A trained Qwen2-style model of 1.26 million parameters. */
    public static Path model() {
        return find("models/tiny-qwen2");
    }

    /**
     * Grade-school problems with worked answers (GSM8K) that the model was not trained on.
     *
     * @param file {@code train.jsonl} or {@code validation.jsonl}
     */
    public static TextData problems(String file) {
        return TextData.jsonLines(find("data/gsm8k").resolve(file))
                .withPrompt("Question: {question}\nAnswer: ")
                .withAnswer("{answer}");
    }

    /**
     * Sentences in CoLA's layout, with a question whether they are acceptable.
     *
     * @param tsv source, label, mark, sentence
     */
    public static ChoiceData judgements(Path tsv) {
        return judgements(tsv, Long.MAX_VALUE);
    }

    /** As {@link #judgements(Path)}, of the first lines only. */
    public static ChoiceData judgements(Path tsv, long limit) {
        return TextData.tsv(tsv, "source", "label", "mark", "sentence")
                .withLimit(limit)
                .withPrompt("{sentence}\nIs this acceptable English?")
                .asChoices("label")
                .withCandidate("0", " no")
                .withCandidate("1", " yes");
    }

    /** A file of this module; examples are run from the project's folder or from their own. */
    public static Path find(String path) {
        for (Path folder : new Path[] {Path.of("plora-examples"), Path.of("")}) {
            Path found = folder.resolve(path);
            if (Files.exists(found)) {
                return found;
            }
        }
        throw new IllegalStateException("There is no (%s) in (%s). Maybe run the example from the project's folder."
                .formatted(path, Path.of("").toAbsolutePath()));
    }
}
