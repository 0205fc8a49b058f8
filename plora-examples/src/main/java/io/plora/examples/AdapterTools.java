package io.plora.examples;

import io.plora.Metric;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.adapter.AdapterMerger;
import io.plora.adapter.PeftAdapter;
import io.plora.report.TrialFiles;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What to do with a sweep that has ended: find its best adapter, load it, merge it into the base model. */
@Command(
        name = "AdapterTools",
        mixinStandardHelpOptions = true,
        description = "Merges the best adapter of TinySweep into the base model.")
final class AdapterTools implements Callable<Integer> {

    @Option(names = "--sweep", description = "folder of a sweep that has ended (default: ${DEFAULT-VALUE})")
    private Path sweep = Path.of("sweep");

    @Option(names = "--merged", description = "folder for the merged model (default: ${DEFAULT-VALUE})")
    private Path merged = Path.of("merged");

    public static void main(String[] arguments) {
        CommandLines.main(new AdapterTools(), arguments);
    }

    @Override
    public Integer call() {
        SweepResult result = new SweepResult(TrialFiles.read(sweep), Metric.VALIDATION_LOSS, sweep, 0);
        if (result.ranking().isEmpty()) {
            throw new IllegalArgumentException(
                    "Folder (%s) holds no trials. Maybe run TinySweep first.".formatted(sweep.toAbsolutePath()));
        }
        Trial best = result.best();
        PeftAdapter adapter = PeftAdapter.load(best.adapter());
        System.out.printf(
                "%s: rank %d, scale %s, %d layers, %,d parameters, on %s%n",
                best.id(),
                adapter.config().rank(),
                adapter.config().scale(),
                adapter.layers(),
                adapter.parameters(),
                adapter.baseModel());
        AdapterMerger.merge(ExampleFiles.model(), adapter, merged);
        System.out.printf("Merged model, for any tool that loads the base model: %s%n", merged.toAbsolutePath());
        return 0;
    }
}
