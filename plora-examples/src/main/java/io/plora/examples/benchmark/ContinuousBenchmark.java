package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.math.Quantiles;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.ModelShapes;
import io.plora.examples.CommandLines;
import io.plora.examples.RandomWeights;
import io.plora.execute.ComputeDevice;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * What it costs that adapters leave and join while a group trains, at the shapes of real models, with random weights and
 * tokens. A group of adapters takes a sample each an iteration; again and again one leaves, as at the end of its training,
 * then a new one joins, then one leaves and another joins at once.
 *
 * <p>{@code iteration_ms} is the median of the iterations without a change; {@code leave_ms}, {@code join_ms} and {@code
 * change_ms} (both at once) are the medians of what the change and the two iterations after it take more than two iterations: in
 * the first passes are made operation by operation, in the second they are recorded again ({@code counted_iterations}). {@code
 * export_ms} is the time until the parameters of an adapter that left are in host memory, to be saved, while iterations go on.
 */
@Command(
        name = "ContinuousBenchmark",
        mixinStandardHelpOptions = true,
        description = "Times changes of a running group of adapters.",
        sortOptions = false)
public final class ContinuousBenchmark implements Callable<Integer> {

    @Option(
            names = "--models",
            split = ",",
            description = "shapes such as Qwen2.5-7B, or folders with a config.json (default: ${DEFAULT-VALUE})")
    private List<String> models = List.of("Qwen2.5-0.5B", "Qwen2.5-7B");

    @Option(names = "--adapters", split = ",", description = "numbers of adapters (default: ${DEFAULT-VALUE})")
    private List<Integer> adapters = List.of(16, 32);

    @Option(names = "--tokens", description = "length of the samples (default: ${DEFAULT-VALUE})")
    private int tokens = 64;

    @Option(names = "--rank", description = "of the adapters (default: ${DEFAULT-VALUE})")
    private int rank = 32;

    @Option(names = "--changes", description = "changes of each kind (default: ${DEFAULT-VALUE})")
    private int changes = 7;

    @Option(names = "--device", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})")
    private BenchmarkDevice device = BenchmarkDevice.CUDA;

    @Mixin
    private ResultRows results = new ResultRows("continuous-h100.jsonl");

    public static void main(String[] arguments) {
        CommandLines.main(new ContinuousBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        ComputeDevice opened = device.open();
        try (Kernels kernels = opened.open()) {
            for (String name : models) {
                ModelConfig model =
                        Files.isDirectory(Path.of(name)) ? ModelConfig.read(Path.of(name)) : ModelShapes.of(name);
                DecoderWeights weights = DecoderWeights.load(model, new RandomWeights(model, 1), kernels, tokens);
                for (int count : adapters) {
                    try (ChangingGroup group =
                            new ChangingGroup(model, weights, kernels, rank, tokens, ActivationPolicy.KEEP_ALL)) {
                        results.add(row(name, count, group), opened);
                    }
                }
                weights.release(kernels);
            }
        }
        return 0;
    }

    private ObjectNode row(String model, int count, ChangingGroup group) {
        ChangingGroup.Times times = group.measure(count, changes);
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("model", model);
        row.put("adapters", count);
        row.put("seq", tokens);
        row.put("rank", rank);
        row.put("iteration_ms", milliseconds(times.iterations()));
        row.put("change_ms", milliseconds(times.replacements()));
        row.put("worst_change_ms", rounded(1e3 * Collections.max(times.replacements())));
        row.put("leave_ms", milliseconds(times.leaves()));
        row.put("join_ms", milliseconds(times.joins()));
        row.put("export_ms", milliseconds(times.exports()));
        row.put("changes", changes);
        row.put("counted_iterations", ChangingGroup.SETTLING);
        return row;
    }

    private static double milliseconds(List<Double> seconds) {
        return rounded(1e3 * Quantiles.median().compute(seconds));
    }

    private static double rounded(double value) {
        return Math.round(value * 100) / 100.0;
    }
}
