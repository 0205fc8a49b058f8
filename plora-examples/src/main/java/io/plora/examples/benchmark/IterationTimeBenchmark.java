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
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Predicted against measured times of iterations, of groups that the calibration has not seen: adapters of other ranks and
 * batch sizes, samples of other lengths. The first iterations of some groups calibrate the time model, which then predicts
 * those of other groups.
 *
 * <p>A row for each group: {@code measured_ms} and {@code predicted_ms} are medians over its iterations, {@code nominal_ms} what
 * the model says without a calibration, {@code work} the mean of {@link GroupWork}, {@code iterations_ms} all that were measured.
 * A last row has the errors of those not seen.
 */
@Command(
        name = "IterationTimeBenchmark",
        mixinStandardHelpOptions = true,
        description = "Compares predicted with measured times of iterations.",
        sortOptions = false)
public final class IterationTimeBenchmark implements Callable<Integer> {

    private static final int JVM_WARM_UP = 30;

    @Option(
            names = "--models",
            split = ",",
            description = "shapes such as Qwen2.5-7B, or folders with a config.json (default: ${DEFAULT-VALUE})")
    private List<String> models = List.of("Qwen2.5-0.5B", "Qwen2.5-3B", "Qwen2.5-7B");

    @Option(names = "--calibrating", description = "groups that calibrate (default: ${DEFAULT-VALUE})")
    private int calibrating = 5;

    @Option(names = "--held-out", description = "groups that are predicted (default: ${DEFAULT-VALUE})")
    private int heldOut = 10;

    @Option(names = "--adapters", description = "most adapters of a group (default: ${DEFAULT-VALUE})")
    private int adapters = 24;

    @Option(names = "--tokens", description = "most tokens of an iteration (default: ${DEFAULT-VALUE})")
    private int tokens = 4096;

    @Option(names = "--iterations", description = "measured iterations of a group (default: ${DEFAULT-VALUE})")
    private int iterations = 10;

    @Option(names = "--warm-up", description = "iterations before them (default: ${DEFAULT-VALUE})")
    private int warmUp = 20;

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
        // the JVM compiles, the device loads kernels
        RandomGroup.of(model, -1, adapters, tokens).measure(weights, kernels, activations, JVM_WARM_UP, 0);
        List<RandomGroup> groups = new ArrayList<>();
        List<List<MeasuredIteration>> measured = new ArrayList<>();
        for (int seed = 0; seed < calibrating + heldOut; seed++) {
            RandomGroup group = RandomGroup.of(model, seed, adapters, tokens);
            groups.add(group);
            measured.add(group.measure(weights, kernels, activations, warmUp, iterations));
        }
        weights.release(kernels);
        PartedTime nominal = on.time(model, activations);
        List<MeasuredIteration> seen =
                measured.subList(0, calibrating).stream().flatMap(List::stream).toList();
        Calibration calibration = Calibration.fit(seen, nominal);
        GroupTime calibrated = calibration.apply(nominal);
        List<Double> errors = new ArrayList<>();
        for (int i = 0; i < groups.size(); i++) {
            ObjectNode row = row(name, groups.get(i), measured.get(i), nominal, calibrated);
            row.put("held_out", i >= calibrating);
            results.add(row, on);
            if (i >= calibrating) {
                errors.add(Math.abs(row.get("error").asDouble()));
            }
        }
        results.add(summary(name, calibration, errors), on);
    }

    private static ObjectNode row(
            String model,
            RandomGroup group,
            List<MeasuredIteration> measured,
            PartedTime nominal,
            GroupTime calibrated) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("model", model);
        row.put("kind", "group");
        row.put("adapters", group.configs().size());
        row.put("seq", group.tokens());
        row.put("measured_ms", rounded(1e3 * median(measured, MeasuredIteration::seconds)));
        row.put("predicted_ms", rounded(1e3 * median(measured, one -> calibrated.seconds(one.work(), 1))));
        row.put("nominal_ms", rounded(1e3 * median(measured, one -> nominal.seconds(one.work(), 1))));
        row.put(
                "error",
                rounded(median(measured, one -> calibrated.seconds(one.work(), 1))
                                / median(measured, MeasuredIteration::seconds)
                        - 1));
        ArrayNode work = row.putArray("work");
        GroupWork sum = measured.stream().map(MeasuredIteration::work).reduce(GroupWork.NONE, GroupWork::plus);
        for (double amount : sum.times(1.0 / measured.size()).toArray()) {
            work.add(amount);
        }
        ArrayNode all = row.putArray("iterations_ms");
        measured.forEach(one -> all.add(rounded(1e3 * one.seconds())));
        return row;
    }

    private ObjectNode summary(String model, Calibration calibration, List<Double> errors) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("model", model);
        row.put("kind", "summary");
        row.put("calibrating_groups", calibrating);
        row.put("calibrating_iterations", calibration.rows());
        row.put("held_out_groups", errors.size());
        row.put("median_error", rounded(Quantiles.median().compute(errors)));
        row.put(
                "worst_error",
                rounded(errors.stream().mapToDouble(error -> error).max().orElseThrow()));
        ArrayNode factors = row.putArray("factors");
        calibration.factors().forEach(factors::add);
        row.put("fixed_ms", rounded(1e3 * calibration.fixedSeconds()));
        return row;
    }

    private static double median(List<MeasuredIteration> iterations, ToDoubleFunction<MeasuredIteration> value) {
        return Quantiles.median().compute(iterations.stream().mapToDouble(value).toArray());
    }

    private static double rounded(double value) {
        return Math.round(value * 1e4) / 1e4;
    }
}
