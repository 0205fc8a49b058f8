package io.plora.examples;

import io.plora.LoraSweep;
import io.plora.SweepResult;
import io.plora.report.Listeners;
import io.plora.report.MachineReport;
import io.plora.space.SearchSpace;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Sixteen LoRA configurations on the bundled model and data, trained together on the CPU.
 *
 * <p>Stop it and run it again: it goes on where it was. Run it once more after its end: it shows the recorded result.
 */
@Command(name = "TinySweep", mixinStandardHelpOptions = true, description = "Sweeps 16 configurations on bundled data.")
final class TinySweep implements Callable<Integer> {

    @Option(names = "--output", description = "folder for adapters and records (default: ${DEFAULT-VALUE})")
    private Path output = Path.of("sweep");

    @Option(names = "--samples", description = "training samples (default: ${DEFAULT-VALUE})")
    private int samples = 200;

    @Option(names = "--validation-samples", description = "samples to rank by (default: ${DEFAULT-VALUE})")
    private int validationSamples = 50;

    @Option(names = "--epochs", description = "passes over them (default: ${DEFAULT-VALUE})")
    private int epochs = 1;

    public static void main(String[] arguments) {
        CommandLines.main(new TinySweep(), arguments);
    }

    @Override
    public Integer call() {
        System.out.println(MachineReport.collect());
        SweepResult result = LoraSweep.builder()
                .withBaseModel(ExampleFiles.model())
                .withTrainingData(ExampleFiles.problems("train.jsonl").withLimit(samples))
                .withValidationData(ExampleFiles.problems("validation.jsonl").withLimit(validationSamples))
                .withSpace(SearchSpace.grid()
                        .rank(8, 32)
                        .alphaOverRank(1, 2)
                        .learningRate(2e-4, 1e-3)
                        .batchSize(1, 4))
                .withEpochs(epochs)
                .withSeed(7)
                .withOutput(output)
                .withListener(Listeners.progressLines(System.out))
                .build()
                .run();
        System.out.println(result.toTable());
        System.out.printf(
                "Best adapter, for PEFT or vLLM: %s%n", result.best().adapter().toAbsolutePath());
        return 0;
    }
}
