package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.ModelShapes;
import io.plora.examples.CommandLines;
import io.plora.examples.RandomWeights;
import io.plora.execute.ComputeDevice;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Time, memory and utilisation of packed training steps at the shapes of real models, with random weights and tokens. A step
 * is one sample of every adapter with its optimizer update, in as few passes as memory allows; every token has a target.
 *
 * <p>{@code ms} is the median of the steps, {@code peak_gib} what {@link PeakMemory} says, {@code utilisation} the operations of
 * {@link TrainingOperations} over the time and over the rate of {@link LargeProduct} in the same run; {@code predicted_ms} and
 * {@code predicted_gib} are what the planner's models say.
 *
 * <p>On a GPU, {@code idle} is the share of all timed steps during which the GPU had nothing to do: what lies outside the time from
 * the launch to the last operation of each recorded pass and update, by events on the GPU. Of operations one by one
 * ({@code recorded} is false) it would not count the time between two of them, and is left out.
 */
@Command(
        name = "TrainingBenchmark",
        mixinStandardHelpOptions = true,
        description = "Times packed training steps at the shapes of real models.",
        sortOptions = false)
public final class TrainingBenchmark implements Callable<Integer> {
    private static final int PART_STEPS = 5;

    @Option(
            names = "--models",
            split = ",",
            description = "shapes such as Qwen2.5-7B, or folders with a config.json (default: ${DEFAULT-VALUE})")
    private List<String> models = List.of("Qwen2.5-3B", "Qwen2.5-7B");

    @Option(names = "--adapters", split = ",", description = "numbers of adapters (default: ${DEFAULT-VALUE})")
    private List<Integer> adapters = List.of(32);

    @Option(names = "--tokens", split = ",", description = "lengths of the samples (default: ${DEFAULT-VALUE})")
    private List<Integer> tokens = List.of(64, 256, 1024);

    @Option(
            names = "--ranks",
            split = ",",
            description = "ranks of the adapters, over and over again (default: ${DEFAULT-VALUE})")
    private List<Integer> ranks = List.of(32);

    @Option(names = "--activations", description = "what is kept: ${COMPLETION-CANDIDATES}; the fastest if not given")
    private @Nullable ActivationPolicy activations;

    @Option(names = "--steps", description = "timed steps (default: ${DEFAULT-VALUE})")
    private int steps = 20;

    @Option(names = "--warm-up", description = "steps before them (default: ${DEFAULT-VALUE})")
    private int warmUp = 5;

    @Option(
            names = "--parts",
            description =
                    "adds a row for each part of a step: seconds with a wait after every operation, beside the predicted")
    private boolean parts;

    @Option(
            names = "--one-by-one",
            description = "adds a row of steps whose operations are run one by one, not recorded and replayed")
    private boolean oneByOne;

    @Option(names = "--device", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})")
    private BenchmarkDevice device = BenchmarkDevice.CUDA;

    @Mixin
    private ResultRows results = new ResultRows("training-h100.jsonl");

    public static void main(String[] arguments) {
        CommandLines.main(new TrainingBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        ComputeDevice opened = device.open();
        try (Kernels kernels = opened.open()) {
            double gigaflops = LargeProduct.gigaflops(kernels);
            for (String name : models) {
                measure(name, opened, kernels, gigaflops);
            }
        }
        return 0;
    }

    private void measure(String name, ComputeDevice on, Kernels kernels, double gigaflops) throws IOException {
        ModelConfig model = Files.isDirectory(Path.of(name)) ? ModelConfig.read(Path.of(name)) : ModelShapes.of(name);
        DecoderWeights weights =
                DecoderWeights.load(model, new RandomWeights(model, 1), kernels, Collections.max(tokens));
        for (int count : adapters) {
            List<AdapterWeights> made = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                made.add(AdapterWeights.initialize(model, config(i), kernels));
            }
            for (int length : tokens) {
                measure(new TrainingCase(name, model, made, length), weights, on, kernels, gigaflops);
            }
            made.forEach(AdapterWeights::release);
        }
        weights.release(kernels);
    }

    private LoraConfig config(int adapter) {
        int rank = ranks.get(adapter % ranks.size());
        return LoraConfig.builder()
                .withRank(rank)
                .withAlpha(rank)
                .withLearningRate(1e-4)
                .withSeed(adapter)
                .build();
    }

    private void measure(
            TrainingCase measured, DecoderWeights weights, ComputeDevice on, Kernels kernels, double gigaflops)
            throws IOException {
        StepPlan plan = StepPlan.of(measured.model(), measured.configs(), measured.tokens(), on, activations);
        for (boolean recorded : oneByOne ? new boolean[] {true, false} : new boolean[] {true}) {
            PeakMemory.restart(kernels);
            GpuTime gpu = new GpuTime(kernels, recorded);
            List<Double> seconds = measured.run(plan, weights, kernels, warmUp, steps, gpu::start);
            ObjectNode row = measured.row(plan, seconds, PeakMemory.bytes(kernels), 1e9 * gigaflops);
            row.put("peak_tflops", Math.round(gigaflops) / 1e3);
            gpu.describe(row, seconds);
            results.add(row, on);
        }
        if (parts) {
            StepParts timed = new StepParts(kernels);
            measured.run(plan, weights, timed.timed(), 1, PART_STEPS, timed::restart);
            for (ObjectNode part : measured.partRows(plan, timed.parts(), PART_STEPS)) {
                results.add(part, on);
            }
        }
    }
}
