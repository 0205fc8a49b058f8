package io.plora.examples.benchmark;

import io.plora.data.EncodingContext;
import io.plora.data.Sample;
import io.plora.data.TooLong;
import io.plora.examples.ExampleFiles;
import io.plora.execute.ComputeDevice;
import io.plora.model.BaseModel;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say which sweep is run: model, data, configurations, device. */
final class SweepSetting {

    @Option(names = "--model", description = "folder of the base model (default: the bundled one)")
    private @Nullable Path model;

    @Option(names = "--train", description = "TSV of source, label, mark, sentence (default: bundled sentences)")
    private @Nullable Path train;

    @Option(names = "--samples", description = "to train on, the first of the file (default: ${DEFAULT-VALUE})")
    private int samples = 1000;

    @Option(names = "--space", description = "CSV of configurations (default: the paper's 120)")
    private @Nullable Path space;

    @Option(names = "--device", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})")
    private BenchmarkDevice device = BenchmarkDevice.CUDA;

    @Option(names = "--memory-gib", description = "of the device, to use (default: what is free)")
    private @Nullable Integer memoryGibibytes;

    /** @param scratch folder for outputs */
    LiveSweep sweep(Path scratch) {
        return sweep(scratch, device());
    }

    /**
     * The same for a GPU that need not be here; only to plan.
     *
     * @param gpu what its driver calls it
     */
    LiveSweep sweep(Path scratch, String gpu) {
        return sweep(scratch, absent(gpu));
    }

    private LiveSweep sweep(Path scratch, ComputeDevice on) {
        return new LiveSweep(model(), configs(), samples(), on, scratch);
    }

    private Path model() {
        return model == null ? ExampleFiles.model() : model;
    }

    private List<LoraConfig> configs() {
        return SearchSpace.csv(space == null ? ExampleFiles.find("benchmarks/paper_sweep.csv") : space)
                .configs();
    }

    /**
     * The samples to train on: sentences with the question whether they are acceptable, as the model's tokenizer has them.
     *
     * @throws IllegalArgumentException if there are fewer
     */
    private List<Sample> samples() {
        Path file = train == null ? ExampleFiles.find("data/acceptability/train.tsv") : train;
        try (BaseModel opened = BaseModel.open(model())) {
            EncodingContext context = EncodingContext.of(opened, opened.config().maxPositions(), TooLong.REFUSE);
            List<Sample> all = ExampleFiles.judgements(file).load(context).samples();
            if (all.size() < samples) {
                throw new IllegalArgumentException("%s: there are (%d) samples, not (%d). Maybe give --samples."
                        .formatted(file, all.size(), samples));
            }
            return all.subList(0, samples);
        }
    }

    private ComputeDevice device() {
        if (memoryGibibytes == null) {
            return device.open();
        }
        long bytes = (long) memoryGibibytes << 30;
        return device == BenchmarkDevice.CPU
                ? ComputeDevice.cpu(Runtime.getRuntime().availableProcessors(), bytes)
                : ComputeDevice.cuda(0, bytes);
    }

    private ComputeDevice absent(String gpu) {
        if (memoryGibibytes == null) {
            throw new IllegalArgumentException(
                    "GPU (%s) is not here to ask for its memory. Maybe give --memory-gib.".formatted(gpu));
        }
        return ComputeDevice.cuda(0, gpu, (long) memoryGibibytes << 30);
    }
}
