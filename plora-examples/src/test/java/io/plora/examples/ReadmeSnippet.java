package io.plora.examples;

import io.plora.LoraSweep;
import io.plora.SweepResult;
import io.plora.data.TextData;
import io.plora.report.Listeners;
import io.plora.space.SearchSpace;
import java.nio.file.Path;

/** The snippet of README.md, compiled; {@link ReadmeTest} compares the two. */
final class ReadmeSnippet {
    private ReadmeSnippet() {}

    static Path bestAdapter() {
        // README begins here
        TextData train = TextData.jsonLines(Path.of("plora-examples/data/gsm8k/train.jsonl"))
                .withPrompt("Question: {question}\nAnswer: ")
                .withAnswer("{answer}");
        TextData validation = TextData.jsonLines(Path.of("plora-examples/data/gsm8k/validation.jsonl"))
                .withPrompt("Question: {question}\nAnswer: ")
                .withAnswer("{answer}");
        LoraSweep sweep = LoraSweep.builder()
                .withBaseModel(Path.of("plora-examples/models/tiny-qwen2")) // a Hugging Face folder
                .withTrainingData(train)
                .withValidationData(validation)
                .withSpace(SearchSpace.grid()
                        .rank(8, 16, 32)
                        .alphaOverRank(0.5, 1, 2)
                        .learningRate(1e-4, 4e-4)
                        .batchSize(1, 4))
                .withOutput(Path.of("sweep"))
                .withListener(Listeners.progressBar())
                .build();
        SweepResult result = sweep.run(); // or plan() to look first, start() for a handle to watch and cancel
        System.out.println(result.toTable());
        Path adapter = result.best().adapter(); // PEFT and vLLM load this folder
        // README ends here
        return adapter;
    }
}
