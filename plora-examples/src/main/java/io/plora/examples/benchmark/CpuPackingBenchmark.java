package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.plora.data.EncodingContext;
import io.plora.data.Sample;
import io.plora.data.TextData;
import io.plora.data.TooLong;
import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import io.plora.examples.RandomModelMaker;
import io.plora.execute.ComputeDevice;
import io.plora.model.BaseModel;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * The same sixteen configurations trained packed and one by one on this machine's CPU, in turn, and what share of a large
 * product's speed each reaches.
 *
 * <p>Cases, all on bundled text: {@code sentences} (some 20 tokens), {@code short} (30 to 60 tokens) and {@code gsm8k} (some 170)
 * on the bundled model of hidden size 128; {@code wide}, the short ones on a random model of hidden size 512.
 *
 * <p>All configurations have batch size 1, where packing matters most: alone, a pass of the base model has the few rows of one
 * sample. Times are medians over repetitions of the sum of all iterations (forward, backward, optimizer); loading the model,
 * validation and saving are left out on both sides. GFLOP/s divide the operations of {@link TrainingOperations} by these times.
 * Repetitions run one policy after the other and change which is first; a short run of both before them warms the JVM up.
 */
@Command(
        name = "CpuPackingBenchmark",
        mixinStandardHelpOptions = true,
        description = "Times 16 configurations packed and one by one.")
public final class CpuPackingBenchmark implements Callable<Integer> {
    private static final List<LoraConfig> CONFIGS = SearchSpace.grid()
            .rank(8, 16, 32, 64)
            .learningRate(5e-5, 1e-4, 2e-4, 4e-4)
            .batchSize(1)
            .configs();
    private static final List<String> CASES = List.of("sentences", "short", "gsm8k", "wide");
    private static final int SHORTEST = 30;
    private static final int LONGEST = 60;

    @Option(
            names = "--cases",
            split = ",",
            description = "which to run, separated by commas (default: ${DEFAULT-VALUE})")
    private List<String> cases = CASES;

    @Option(names = "--samples", description = "samples a configuration trains on (default: ${DEFAULT-VALUE})")
    private int samples = 48;

    @Option(names = "--wide-samples", description = "the same in the case wide (default: ${DEFAULT-VALUE})")
    private int wideSamples = 16;

    @Option(names = "--repetitions", description = "runs of each policy (default: ${DEFAULT-VALUE})")
    private int repetitions = 3;

    @Mixin
    private ResultRows results = new ResultRows("cpu-packing.jsonl");

    public static void main(String[] arguments) {
        CommandLines.main(new CpuPackingBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        Path tiny = ExampleFiles.model();
        for (String name : cases) {
            switch (name) {
                case "sentences" -> measure(name, tiny, "tiny-qwen2", CpuPackingBenchmark::sentences, samples);
                case "short" -> measure(name, tiny, "tiny-qwen2", CpuPackingBenchmark::shortQuestions, samples);
                case "gsm8k" -> measure(name, tiny, "tiny-qwen2", CpuPackingBenchmark::problems, samples);
                case "wide" -> measureWide();
                default ->
                    throw new IllegalArgumentException(
                            "Case (%s) is unknown. Maybe use some of %s.".formatted(name, CASES));
            }
        }
        return 0;
    }

    private void measureWide() throws IOException {
        Path folder = Files.createTempDirectory("plora-benchmark");
        try {
            if (CommandLines.run(new RandomModelMaker(), "--output", folder.toString(), "--hidden", "512") != 0) {
                throw new IllegalStateException("The wider model could not be written to (%s).".formatted(folder));
            }
            measure("wide", folder, "random-qwen2", CpuPackingBenchmark::shortQuestions, wideSamples);
        } finally {
            MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
        }
    }

    /** Some 20 tokens each, as in tasks such as CoLA. */
    private static Stream<Sample> sentences(EncodingContext context) {
        return ExampleFiles.judgements(ExampleFiles.find("data/acceptability/train.tsv"))
                .load(context)
                .samples()
                .stream();
    }

    private static Stream<Sample> problems(EncodingContext context) {
        return ExampleFiles.problems("train.jsonl").load(context).samples().stream();
    }

    /** Questions of a few dozen tokens, without their answers. */
    private static Stream<Sample> shortQuestions(EncodingContext context) {
        return TextData.jsonLines(ExampleFiles.find("data/gsm8k/train.jsonl"))
                .withAnswer("{question}")
                .load(context)
                .samples()
                .stream()
                .filter(sample -> sample.length() >= SHORTEST && sample.length() <= LONGEST);
    }

    private void measure(
            String name, Path folder, String modelName, Function<EncodingContext, Stream<Sample>> data, int limit)
            throws IOException {
        PackingCase packingCase;
        try (BaseModel model = BaseModel.open(folder)) {
            ModelConfig shape = model.config();
            EncodingContext context = new EncodingContext(
                    model.tokenizer(), Optional.empty(), shape.vocabularySize(), shape.maxPositions(), TooLong.REFUSE);
            packingCase = new PackingCase(
                    name,
                    shape,
                    folder,
                    CONFIGS,
                    data.apply(context).limit(limit).toList());
        }
        ObjectNode row = packingCase.measure(ComputeDevice.cpu(), repetitions);
        row.put("model", modelName);
        results.add(row);
    }
}
