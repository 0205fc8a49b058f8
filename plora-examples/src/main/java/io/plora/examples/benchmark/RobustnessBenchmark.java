package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.math.Quantiles;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.cost.MemoryModel;
import io.plora.cost.ModelShapes;
import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import io.plora.examples.benchmark.DisturbedSweep.Noise;
import io.plora.model.ModelConfig;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.SweepPlan;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.LongStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The paper's sweep of 120 configurations with wrong predictions, failures and early stops (see {@link DisturbedSweep}), under
 * continuous packing and under the same policy with knowledge of all that. Prints a JSON row for each model, cluster, lengths
 * and kind of noise, over some seeds: {@code vs_known} is the makespan over the one with knowledge, {@code vs_bound} over the lower
 * bound of what is really trained.
 */
@Command(
        name = "RobustnessBenchmark",
        mixinStandardHelpOptions = true,
        description = "Simulates sweeps that go otherwise than predicted.")
public final class RobustnessBenchmark implements Callable<Integer> {
    private static final int SAMPLES = 7_473;

    @Option(names = "--models", split = ",", description = "base models (default: ${DEFAULT-VALUE})")
    private List<String> models =
            List.of("Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-14B", "Qwen2.5-32B", "Llama-3.2-3B", "Llama-3.1-8B");

    @Option(names = "--seeds", description = "how many sweeps of each kind (default: ${DEFAULT-VALUE})")
    private int seeds = 10;

    @Option(names = "--results", description = "file that is written (default: ${DEFAULT-VALUE})")
    private Path results = Path.of("plora-examples/benchmarks/results/robustness.jsonl");

    public static void main(String[] arguments) {
        CommandLines.main(new RobustnessBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        List<LoraConfig> configs =
                SearchSpace.csv(ExampleFiles.find("benchmarks/paper_sweep.csv")).configs();
        List<String> rows = new ArrayList<>();
        for (String model : models) {
            for (DeviceSpec device : List.of(DeviceSpec.A100_40GB, DeviceSpec.A10_24GB)) {
                for (Map.Entry<String, int[]> lengths : lengths().entrySet()) {
                    Setting setting =
                            new Setting(model, Cluster.of(8, device), configs, lengths.getKey(), lengths.getValue());
                    for (Noise noise : Noise.values()) {
                        rows.add(setting.row(noise, seeds).toString());
                        System.out.println(rows.get(rows.size() - 1));
                    }
                }
            }
        }
        Files.createDirectories(results.toAbsolutePath().getParent());
        Files.write(results, rows);
        return 0;
    }

    private static Map<String, int[]> lengths() throws IOException {
        int[] alike = new int[SAMPLES];
        Arrays.fill(alike, 1024);
        Map<String, int[]> lengths = new LinkedHashMap<>();
        lengths.put("1024", alike);
        lengths.put(
                "gsm8k",
                Files.readAllLines(ExampleFiles.find("benchmarks/gsm8k_lengths.txt")).stream()
                        .mapToInt(Integer::parseInt)
                        .toArray());
        return lengths;
    }

    /**
     * A sweep.
     *
     * @param cluster of one kind of device
     * @param lengths name of the samples' lengths
     */
    record Setting(String model, Cluster cluster, List<LoraConfig> configs, String lengths, int[] samples) {

        DisturbedSweep sweep(ActivationPolicy activations, Noise noise, long seed) {
            return new DisturbedSweep(ModelShapes.of(model), cluster, configs, samples, activations, noise, seed);
        }

        /** The one with which the sweep would be fastest if all went as predicted, of those with which it fits. */
        ActivationPolicy activations() {
            return Arrays.stream(ActivationPolicy.values())
                    .filter(this::fits)
                    .min(Comparator.comparingDouble(activations -> sweep(activations, Noise.STRETCH, 0)
                            .undisturbed(new ContinuousPacking())
                            .makespan()))
                    .orElseThrow();
        }

        private boolean fits(ActivationPolicy activations) {
            ModelConfig shape = ModelShapes.of(model);
            MemoryModel memory = MemoryModel.onGpu(shape).withActivationPolicy(activations);
            int degree = cluster.size();
            long longest = Arrays.stream(samples).max().orElseThrow();
            return configs.stream()
                    .allMatch(config -> memory.baseBytes(degree)
                                    + memory.adapterBytes(config, degree)
                                    + longest * memory.tokenBytes(config, degree)
                            <= cluster.device(0).usableBytes(DisturbedSweep.LOAD_FACTOR));
        }

        ObjectNode row(Noise noise, int seeds) {
            ActivationPolicy activations = activations();
            List<Outcome> outcomes = LongStream.range(0, seeds)
                    .mapToObj(seed -> Outcome.of(sweep(activations, noise, seed)))
                    .toList();
            ObjectNode row = JsonNodeFactory.instance.objectNode();
            row.put("model", model);
            row.put("cluster", cluster.size() + "x" + cluster.device(0).name());
            row.put("configs", configs.size());
            row.put("lengths", lengths);
            row.put("planner", new ContinuousPacking().name());
            row.put("activations", activations.name());
            row.put("noise", noise.name().toLowerCase(Locale.ROOT));
            row.put("seeds", seeds);
            row.put(
                    "median_vs_known",
                    median(outcomes.stream().map(Outcome::versusKnown).toList()));
            row.put(
                    "worst_vs_known",
                    worst(outcomes.stream().map(Outcome::versusKnown).toList()));
            row.put(
                    "median_vs_bound",
                    median(outcomes.stream().map(Outcome::versusBound).toList()));
            row.put(
                    "worst_vs_bound",
                    worst(outcomes.stream().map(Outcome::versusBound).toList()));
            row.set("makespan_s", all(outcomes.stream().map(Outcome::makespan).toList()));
            row.set("known_s", all(outcomes.stream().map(Outcome::known).toList()));
            row.set("lower_bound_s", all(outcomes.stream().map(Outcome::bound).toList()));
            row.put("plan_ms", worst(outcomes.stream().map(Outcome::planMillis).toList()));
            return row;
        }
    }

    /**
     * One sweep, in seconds.
     *
     * @param makespan of the policy that did not know
     * @param known of the one that did
     * @param bound of what was trained
     */
    record Outcome(double makespan, double known, double bound, double planMillis) {

        static Outcome of(DisturbedSweep sweep) {
            SweepPlan disturbed = sweep.disturbed(new ContinuousPacking());
            SweepPlan known = sweep.known(new ContinuousPacking());
            return new Outcome(
                    disturbed.makespan(), known.makespan(), known.bound().seconds(), disturbed.planMillis());
        }

        double versusKnown() {
            return makespan / known;
        }

        double versusBound() {
            return makespan / bound;
        }
    }

    private static double median(List<Double> values) {
        return rounded(Quantiles.median().compute(values));
    }

    private static double worst(List<Double> values) {
        return rounded(values.stream().mapToDouble(value -> value).max().orElseThrow());
    }

    private static ArrayNode all(List<Double> values) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        values.forEach(value -> array.add(rounded(value)));
        return array;
    }

    /** To four digits. */
    private static double rounded(double value) {
        return Double.parseDouble(String.format(Locale.ROOT, "%.4g", value));
    }
}
