package io.plora.examples;

import io.plora.LoraSweep;
import io.plora.SweepHandle;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A listener of your own, see {@link LossRecorder}, and a handle that ends the sweep when the listener has seen enough. */
@Command(
        name = "CustomListener",
        mixinStandardHelpOptions = true,
        description = "Records losses as CSV; stops early if asked to.")
final class CustomListener implements Callable<Integer> {

    @Option(names = "--output", description = "folder for adapters and records (default: ${DEFAULT-VALUE})")
    private Path output = Path.of("sweep-listener");

    @Option(names = "--losses", description = "file for training losses (default: ${DEFAULT-VALUE})")
    private Path losses = Path.of("losses.csv");

    @Option(names = "--samples", description = "training samples (default: ${DEFAULT-VALUE})")
    private int samples = 30;

    @Option(names = "--stop-below", description = "validation loss that is good enough to stop (default: never stop)")
    private double stopBelow = Double.NEGATIVE_INFINITY;

    public static void main(String[] arguments) {
        CommandLines.main(new CustomListener(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        try (LossRecorder recorder = new LossRecorder(losses, stopBelow)) {
            LoraSweep sweep = LoraSweep.builder()
                    .withBaseModel(ExampleFiles.model())
                    .withTrainingData(ExampleFiles.problems("train.jsonl").withLimit(samples))
                    .withValidationData(
                            ExampleFiles.problems("validation.jsonl").withLimit(12))
                    .withSpace(SearchSpace.grid().rank(4, 16).learningRate(2e-4, 1e-3))
                    .withEpochs(3)
                    .withOutput(output)
                    .withListener(recorder)
                    .build();
            try (SweepHandle handle = sweep.start()) {
                recorder.found().thenRun(handle::cancel);
                System.out.println(handle.await().toTable());
            }
        }
        System.out.printf("Training losses: %s%n", losses.toAbsolutePath());
        return 0;
    }
}
