package io.plora.examples;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.primitives.Ints;
import io.plora.LoraSweep;
import io.plora.SweepResult;
import io.plora.data.Dl4jData;
import io.plora.model.Tokenizer;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A sweep on what a DL4J pipeline already makes: minibatches of token ids with masks. */
@Command(
        name = "ExistingDl4jData",
        mixinStandardHelpOptions = true,
        description = "Sweeps 4 configurations on a MultiDataSetIterator.")
final class ExistingDl4jData implements Callable<Integer> {

    @Option(names = "--output", description = "folder for adapters and records (default: ${DEFAULT-VALUE})")
    private Path output = Path.of("sweep-dl4j");

    @Option(names = "--samples", description = "training samples (default: ${DEFAULT-VALUE})")
    private int samples = 60;

    public static void main(String[] arguments) {
        CommandLines.main(new ExistingDl4jData(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        MultiDataSetIterator training = minibatches("train.jsonl", samples);
        MultiDataSetIterator validation = minibatches("validation.jsonl", 20);
        SweepResult result = LoraSweep.builder()
                .withBaseModel(ExampleFiles.model())
                .withTrainingData(Dl4jData.of(training))
                .withValidationData(Dl4jData.of(validation))
                .withSpace(SearchSpace.grid().rank(8, 16).learningRate(4e-4, 1e-3))
                .withOutput(output)
                .build()
                .run();
        System.out.println(result.toTable());
        return 0;
    }

    /** Stands for the pipeline that you have. */
    private static MultiDataSetIterator minibatches(String file, int count) throws IOException {
        List<PaddedMinibatches.Pair> pairs = new ArrayList<>();
        try (Tokenizer tokenizer = Tokenizer.open(ExampleFiles.model());
                MappingIterator<JsonNode> problems = new ObjectMapper()
                        .readerFor(JsonNode.class)
                        .readValues(
                                ExampleFiles.find("data/gsm8k").resolve(file).toFile())) {
            while (pairs.size() < count && problems.hasNext()) {
                JsonNode problem = problems.next();
                int[] prompt = tokenizer.encode(problem.get("question").asText() + "\n");
                int[] answer = tokenizer.encode(problem.get("answer").asText());
                pairs.add(
                        new PaddedMinibatches.Pair(prompt, Ints.concat(answer, new int[] {tokenizer.endOfSequence()})));
            }
        }
        return new PaddedMinibatches(pairs, 8);
    }
}
