package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.math.Quantiles;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.Calibration;
import io.plora.cost.GroupTime;
import io.plora.cost.GroupWork;
import io.plora.cost.MeasuredIteration;
import io.plora.cost.ModelShapes;
import io.plora.cost.PartedTime;
import io.plora.examples.CommandLines;
import io.plora.examples.RandomWeights;
import io.plora.execute.ComputeDevice;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Predicted against measured times of iterations of random groups: ten iterations of one group calibrate the time model, which
 * then predicts the others, of other adapters, ranks, batch sizes and lengths; each group calibrates in turn.
 *
 * <p>A row for each group: {@code measured_ms} and {@code nominal_ms} are medians over its iterations, measured and of the model
 * without a calibration; {@code nominal_error} is how far the latter is off, of the iteration that it predicts in the median;
 * {@code errors} how far predictions by a calibration by each group are, in the order of the rows, itself included; {@code
 * joint_error} that by all other groups together; {@code factors} and {@code fixed_ms} its own calibration, {@code iterations_ms}
 * all that were measured, {@code work} what each was spent on, as a {@link GroupWork} (on a GPU the optimizer steps of the
 * iteration before). A last row sums up the absolute errors: without a calibration, by one other group, by all others.
 */
@Command(
        name = "IterationTimeBenchmark",
        mixinStandardHelpOptions = true,
        description = "Compares predicted with measured times of iterations.",
        sortOptions = false)
public final class IterationTimeBenchmark implements Callable<Integer> {
    @Option(
            names = "--models",
            split = ",",
            description = "shapes such as Qwen2.5-7B, or folders with a config.json (default: ${DEFAULT-VALUE})")
    private List<String> models = List.of("Qwen2.5-0.5B", "Qwen2.5-3B", "Qwen2.5-7B");

    @Option(names = "--groups", description = "how many (default: ${DEFAULT-VALUE})")
    private int groups = 15;

    @Option(
            names = "--first-group",
            description = "number of the first: groups of the same number are the same (default: ${DEFAULT-VALUE})")
    private int firstGroup = 0;

    @Option(names = "--adapters", description = "most adapters of a group (default: ${DEFAULT-VALUE})")
    private int adapters = 24;

    @Option(names = "--tokens", description = "most tokens of an iteration (default: ${DEFAULT-VALUE})")
    private int tokens = 4096;

    @Option(names = "--iterations", description = "measured iterations of a group (default: ${DEFAULT-VALUE})")
    private int iterations = 10;

    @Option(names = "--warm-up", description = "iterations before them (default: ${DEFAULT-VALUE})")
    private int warmUp = 20;

    @Option(
            names = "--first-seconds",
            description =
                    "that other groups run before, so that the JVM compiles and the device loads what iterations need (default: ${DEFAULT-VALUE})")
    private double firstSeconds = 4;

    @Option(names = "--activations", description = "what is kept: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})")
    private ActivationPolicy activations = ActivationPolicy.KEEP_ALL;

    @Option(names = "--device", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})")
    private BenchmarkDevice device = BenchmarkDevice.CUDA;

    @Mixin
    private ResultRows results = new ResultRows("calibration-h100.jsonl");

    public static void main(String[] arguments) {
        CommandLines.main(new IterationTimeBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        ComputeDevice opened = device.open();
        try (Kernels kernels = opened.open()) {
            for (String name : models) {
                measure(name, opened, kernels);
            }
        }
        return 0;
    }

    private void measure(String name, ComputeDevice on, Kernels kernels) throws IOException {
        ModelConfig model = Files.isDirectory(Path.of(name)) ? ModelConfig.read(Path.of(name)) : ModelShapes.of(name);
        DecoderWeights weights = DecoderWeights.load(model, new RandomWeights(model, 1), kernels, tokens);
        warmUp(model, weights, on, kernels);
        List<MeasuredGroup> measured = new ArrayList<>();
        for (int number = firstGroup; number < firstGroup + groups; number++) {
            RandomGroup group = RandomGroup.of(model, number, adapters, tokens);
            measured.add(new MeasuredGroup(
                    group, group.measure(weights, kernels, activations, on.stepsLater(), warmUp, iterations)));
        }
        weights.release(kernels);
        for (ObjectNode row : rows(measured, on.time(model, activations))) {
            results.add(JsonNodeFactory.instance.objectNode().put("model", name).setAll(row), on);
        }
    }

    private void warmUp(ModelConfig model, DecoderWeights weights, ComputeDevice on, Kernels kernels) {
        long start = System.nanoTime();
        for (int seed = -1; System.nanoTime() - start < 1e9 * firstSeconds; seed--) {
            RandomGroup.of(model, seed, adapters, tokens)
                    .measure(weights, kernels, activations, on.stepsLater(), warmUp, 0);
        }
    }

    private record MeasuredGroup(RandomGroup group, List<MeasuredIteration> iterations) {

        double median(ToDoubleFunction<MeasuredIteration> value) {
            return Quantiles.median()
                    .compute(iterations.stream().mapToDouble(value).toArray());
        }

        double error(GroupTime time) {
            return 1 / median(one -> one.seconds() / time.seconds(one.work(), one.degree())) - 1;
        }
    }

    private List<ObjectNode> rows(List<MeasuredGroup> measured, PartedTime nominal) {
        List<Calibration> calibrations = measured.stream()
                .map(one -> Calibration.fit(one.iterations(), nominal))
                .toList();
        List<ObjectNode> rows = new ArrayList<>();
        List<Double> alone = new ArrayList<>();
        List<Double> byOne = new ArrayList<>();
        List<Double> byAll = new ArrayList<>();
        for (int i = 0; i < measured.size(); i++) {
            MeasuredGroup group = measured.get(i);
            ObjectNode row = row(group, nominal, calibrations.get(i));
            ArrayNode errors = row.putArray("errors");
            for (int j = 0; j < measured.size(); j++) {
                double error = group.error(calibrations.get(j).apply(nominal));
                errors.add(rounded(error));
                if (i != j) {
                    byOne.add(Math.abs(error));
                }
            }
            double joint = group.error(byOthers(measured, group, nominal).apply(nominal));
            row.put("joint_error", rounded(joint));
            byAll.add(Math.abs(joint));
            alone.add(Math.abs(group.error(nominal)));
            rows.add(row);
        }
        ObjectNode summary = JsonNodeFactory.instance.objectNode();
        summary.put("kind", "summary");
        summary.put("groups", measured.size());
        summary.set("nominal", summary(alone));
        summary.set("by_one_group", summary(byOne));
        summary.set("by_all_others", summary(byAll));
        rows.add(summary);
        return rows;
    }

    private static Calibration byOthers(List<MeasuredGroup> measured, MeasuredGroup group, PartedTime nominal) {
        return Calibration.fit(
                measured.stream()
                        .filter(other -> other != group)
                        .flatMap(other -> other.iterations().stream())
                        .toList(),
                nominal);
    }

    private static ObjectNode summary(List<Double> errors) {
        ObjectNode summary = JsonNodeFactory.instance.objectNode();
        summary.put("predictions", errors.size());
        summary.put(
                "within_ten_per_cent",
                errors.stream().filter(error -> error <= 0.1).count());
        summary.put("median_error", rounded(Quantiles.median().compute(errors)));
        summary.put("worst_error", rounded(Collections.max(errors)));
        return summary;
    }

    private static ObjectNode row(MeasuredGroup measured, PartedTime nominal, Calibration calibration) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("kind", "group");
        row.put("adapters", measured.group().configs().size());
        row.put("seq", measured.group().tokens());
        row.put("measured_ms", rounded(1e3 * measured.median(MeasuredIteration::seconds)));
        row.put("nominal_ms", rounded(1e3 * measured.median(one -> nominal.seconds(one.work(), one.degree()))));
        row.put("nominal_error", rounded(measured.error(nominal)));
        ArrayNode factors = row.putArray("factors");
        calibration.factors().forEach(factor -> factors.add(rounded(factor)));
        row.put("fixed_ms", rounded(1e3 * calibration.fixedSeconds()));
        ArrayNode all = row.putArray("iterations_ms");
        measured.iterations().forEach(one -> all.add(rounded(1e3 * one.seconds())));
        ArrayNode work = row.putArray("work");
        for (MeasuredIteration one : measured.iterations()) {
            ArrayNode amounts = work.addArray();
            Arrays.stream(one.work().toArray()).mapToLong(Math::round).forEach(amounts::add);
        }
        return row;
    }

    private static double rounded(double value) {
        return Math.round(value * 1e4) / 1e4;
    }
}
