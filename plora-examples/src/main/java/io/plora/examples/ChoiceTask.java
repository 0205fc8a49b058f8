package io.plora.examples;

import io.plora.LoraSweep;
import io.plora.Metric;
import io.plora.SweepResult;
import io.plora.report.Listeners;
import io.plora.space.SearchSpace;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A classification task in CoLA's layout, ranked by Matthews correlation: is a sentence acceptable English? */
@Command(
        name = "ChoiceTask",
        mixinStandardHelpOptions = true,
        description = "Sweeps 8 configurations on acceptability judgements.")
final class ChoiceTask implements Callable<Integer> {

    @Option(names = "--train", description = "TSV of source, label, mark, sentence (default: bundled sentences)")
    private @Nullable Path train;

    @Option(names = "--dev", description = "the same, for validation (default: bundled sentences)")
    private @Nullable Path dev;

    @Option(names = "--output", description = "folder for adapters and records (default: ${DEFAULT-VALUE})")
    private Path output = Path.of("sweep-choice");

    @Option(names = "--epochs", description = "passes over the training sentences (default: ${DEFAULT-VALUE})")
    private int epochs = 4;

    public static void main(String[] arguments) {
        CommandLines.main(new ChoiceTask(), arguments);
    }

    @Override
    public Integer call() {
        SweepResult result = LoraSweep.builder()
                .withBaseModel(ExampleFiles.model())
                .withTrainingData(ExampleFiles.judgements(orBundled(train, "train.tsv")))
                .withValidationTask(ExampleFiles.judgements(orBundled(dev, "dev.tsv")))
                .withMetric(Metric.MATTHEWS)
                .withSpace(
                        SearchSpace.grid().rank(8, 32).learningRate(5e-4, 2e-3).batchSize(4, 16))
                .withEpochs(epochs)
                .withSeed(7)
                .withOutput(output)
                .withListener(Listeners.progressLines(System.out))
                .build()
                .run();
        System.out.println(result.toTable());
        return 0;
    }

    private static Path orBundled(@Nullable Path file, String bundled) {
        return file == null ? ExampleFiles.find("data/acceptability").resolve(bundled) : file;
    }
}
