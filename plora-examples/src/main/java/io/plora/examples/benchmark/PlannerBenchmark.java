package io.plora.examples.benchmark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.cost.GroupTime;
import io.plora.cost.MemoryModel;
import io.plora.cost.ModelShapes;
import io.plora.cost.PeftTime;
import io.plora.cost.RooflineTime;
import io.plora.cost.SequentialTime;
import io.plora.cost.WeightFormat;
import io.plora.model.ModelConfig;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.DeviceState;
import io.plora.plan.DtmPacking;
import io.plora.plan.MaxGpu;
import io.plora.plan.MinGpu;
import io.plora.plan.PackingPolicy;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SequentialPlora;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepPlan.GroupPlan;
import io.plora.plan.SweepProgress;
import io.plora.plan.jobs.JobSchedule;
import io.plora.plan.jobs.OptimalPacking;
import io.plora.plan.jobs.OptimalPacking.Optimum;
import io.plora.plan.jobs.OptimalPacking.PackedTrial;
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
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * The paper's setting (Yan et al. 2025, arXiv 2508.02932): 120 configurations, one epoch of 7,473 samples, six models,
 * two clusters of eight GPUs, planned by every policy and run in the simulator under the time model. Prints a JSON row for
 * each and writes them to {@code plora-examples/benchmarks/results/planner.jsonl}.
 *
 * <p>Every policy gets the activation policy with which it is fastest; the lower bound is the lowest of them all, so it holds
 * whichever is chosen. {@code vs_min_gpu} compares with this engine running configurations alone, {@code vs_peft} with
 * people's present way, also alone, with 150 ms of host time a step. GSM8K's lengths are those of question and answer in the
 * bundled tokenizer.
 *
 * <p>Then five configurations on one GPU, where they fit, few enough for the optimum: {@code optimum_least_s} and {@code optimum_s} enclose
 * what the best continuous packing takes, so that they say how much of a gap is the schedule's and how much the bound's.
 */
public final class PlannerBenchmark {
    private static final int SAMPLES = 7_473;
    private static final double LOAD_FACTOR = 0.9;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** The paper's makespans on eight A100-40GB: Min GPU over PLoRA. */
    private static final Map<String, Double> PAPER = Map.of(
            "Qwen2.5-3B", 7.08,
            "Qwen2.5-7B", 6.52,
            "Qwen2.5-14B", 6.51,
            "Qwen2.5-32B", 6.33,
            "Llama-3.2-3B", 7.52,
            "Llama-3.1-8B", 6.78);

    private static final List<String> MODELS =
            List.of("Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-14B", "Qwen2.5-32B", "Llama-3.2-3B", "Llama-3.1-8B");

    /** Ranks and batch sizes of the configurations on one GPU. */
    private static final int[][] FEW = {{16, 1}, {32, 2}, {8, 4}, {64, 8}, {32, 16}};
    /** A multiple of all batch sizes. */
    private static final int FEW_SAMPLES = 7_472;

    private static final List<Map<String, Object>> NO_ROWS = List.of();

    private static final List<PackingPolicy> POLICIES =
            List.of(new MinGpu(), new MaxGpu(), new DtmPacking(), new ContinuousPacking());

    private static final String MIN_GPU = new MinGpu().name();
    private static final String DTM = new DtmPacking().name();
    private static final String CONTINUOUS = new ContinuousPacking().name();
    private static final String SEQUENTIAL = new SequentialPlora((work, degree) -> 1).name();

    private PlannerBenchmark() {}

    /** @param arguments names of models, all if there are none */
    public static void main(String[] arguments) throws IOException {
        Path folder = Files.isDirectory(Path.of("benchmarks"))
                ? Path.of("benchmarks")
                : Path.of("plora-examples", "benchmarks");
        List<LoraConfig> configs =
                SearchSpace.csv(folder.resolve("paper_sweep.csv")).configs();
        Map<String, int[]> lengths = new LinkedHashMap<>();
        lengths.put("1024", IntStream.generate(() -> 1024).limit(SAMPLES).toArray());
        lengths.put(
                "gsm8k",
                Files.readAllLines(folder.resolve("gsm8k_lengths.txt")).stream()
                        .mapToInt(Integer::parseInt)
                        .toArray());
        List<String> rows = new ArrayList<>();
        for (String model : arguments.length > 0 ? Arrays.asList(arguments) : MODELS) {
            for (DeviceSpec device : List.of(DeviceSpec.A100_40GB, DeviceSpec.A10_24GB)) {
                lengths.forEach((name, samples) -> {
                    print(new Setting(model, Cluster.of(8, device), configs, name, samples), rows);
                    int[] alike = new int[FEW_SAMPLES];
                    Arrays.fill(alike, (int)
                            Math.round(Arrays.stream(samples).average().orElseThrow()));
                    print(new Setting(model, Cluster.of(1, device), few(), "mean of " + name, alike), rows);
                });
            }
        }
        Files.createDirectories(folder.resolve("results"));
        Files.write(folder.resolve("results").resolve("planner.jsonl"), rows);
    }

    private static List<LoraConfig> few() {
        return Arrays.stream(FEW)
                .map(values -> LoraConfig.builder()
                        .withRank(values[0])
                        .withBatchSize(values[1])
                        .build())
                .toList();
    }

    private static void print(Setting setting, List<String> rows) {
        for (Map<String, Object> row : setting.fitting().isEmpty() ? NO_ROWS : rows(setting)) {
            try {
                rows.add(JSON.writeValueAsString(row));
            } catch (JsonProcessingException e) {
                throw new IllegalStateException("A row that is no JSON: " + row, e);
            }
            System.out.println(rows.get(rows.size() - 1));
        }
    }

    /** A sweep on a cluster of one kind of device. */
    private record Setting(String model, Cluster cluster, List<LoraConfig> configs, String lengths, int[] samples) {

        DeviceSpec device() {
            return cluster.device(0);
        }

        ModelConfig shape() {
            return ModelShapes.of(model);
        }

        RooflineTime engine(ActivationPolicy activations) {
            return new RooflineTime(shape(), device(), WeightFormat.PLAIN, activations);
        }

        MemoryModel memory(ActivationPolicy activations) {
            return MemoryModel.onGpu(shape()).withActivationPolicy(activations);
        }

        long deviceBytes() {
            return device().usableBytes(LOAD_FACTOR);
        }

        /** What every configuration fits with on all devices. */
        List<ActivationPolicy> fitting() {
            int degree = cluster.size();
            return Arrays.stream(ActivationPolicy.values())
                    .filter(activations -> configs.stream()
                            .allMatch(config -> memory(activations).baseBytes(degree)
                                            + memory(activations).adapterBytes(config, degree)
                                            + longest() * memory(activations).tokenBytes(config, degree)
                                    <= deviceBytes()))
                    .toList();
        }

        int longest() {
            return Arrays.stream(samples).max().orElseThrow();
        }

        Optimum optimum(ActivationPolicy activations) {
            MemoryModel memory = memory(activations);
            List<PackedTrial> trials = configs.stream()
                    .map(config -> new PackedTrial(
                            config.batchSize(),
                            samples.length,
                            MemoryModel.adapterParameters(shape(), config),
                            samples[0],
                            memory.adapterBytes(config, 1),
                            samples[0] * memory.tokenBytes(config, 1)))
                    .toList();
            return OptimalPacking.of(trials, deviceBytes() - memory.baseBytes(1), engine(activations), 1);
        }

        Outcome run(PackingPolicy policy, GroupTime time, ActivationPolicy activations) {
            SweepProgress sweep = SweepProgress.builder()
                    .withConfigs(configs)
                    .withLengths((trial, epoch) -> samples)
                    .withDevices(IntStream.range(0, cluster.size())
                            .mapToObj(index -> new DeviceState(index, deviceBytes()))
                            .toList())
                    .withMemory(memory(activations))
                    .withTime(time, config -> MemoryModel.adapterParameters(shape(), config))
                    .build();
            return new Outcome(policy.name(), activations, PlanSimulator.simulate(policy, sweep));
        }
    }

    private record Outcome(String planner, ActivationPolicy activations, SweepPlan plan) {}

    private static List<Map<String, Object>> rows(Setting setting) {
        List<Outcome> all = new ArrayList<>();
        List<Outcome> peft = new ArrayList<>();
        List<Optimum> optima = new ArrayList<>();
        for (ActivationPolicy activations : setting.fitting()) {
            RooflineTime engine = setting.engine(activations);
            POLICIES.forEach(policy -> all.add(setting.run(policy, engine, activations)));
            all.add(setting.run(new SequentialPlora(engine), new SequentialTime(engine), activations));
            peft.add(setting.run(new MinGpu(), new PeftTime(engine), activations));
            if (setting.cluster().size() == 1) {
                optima.add(setting.optimum(activations));
            }
        }
        References references = new References(
                all.stream()
                        .filter(outcome -> !outcome.planner().equals(SEQUENTIAL))
                        .mapToDouble(outcome -> outcome.plan().bound().seconds())
                        .min()
                        .orElseThrow(),
                fastest(all, MIN_GPU).plan().makespan(),
                fastest(peft, MIN_GPU).plan().makespan(),
                optima);
        return all.stream()
                .map(Outcome::planner)
                .distinct()
                .map(planner -> row(setting, fastest(all, planner), references))
                .toList();
    }

    /** What makespans are compared with. */
    private record References(double bound, double minGpu, double minPeft, List<Optimum> optima) {}

    private static Outcome fastest(List<Outcome> outcomes, String planner) {
        return outcomes.stream()
                .filter(outcome -> outcome.planner().equals(planner))
                .min(Comparator.comparingDouble(outcome -> outcome.plan().makespan()))
                .orElseThrow();
    }

    private static Map<String, Object> row(Setting setting, Outcome outcome, References references) {
        SweepPlan plan = outcome.plan();
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("model", setting.model());
        row.put("cluster", setting.cluster().size() + "x" + setting.device().name());
        row.put("configs", setting.configs().size());
        row.put("lengths", setting.lengths());
        row.put("planner", outcome.planner());
        row.put("activations", outcome.activations());
        row.put("makespan_s", rounded(plan.makespan()));
        row.put("vs_min_gpu", rounded(references.minGpu() / plan.makespan()));
        row.put("vs_peft", rounded(references.minPeft() / plan.makespan()));
        row.put("paper_vs_min_gpu", isThePapers(setting, outcome) ? PAPER.get(setting.model()) : null);
        row.put("lower_bound_s", rounded(references.bound()));
        row.put("gap", rounded(plan.makespan() / references.bound() - 1));
        if (!references.optima().isEmpty()) {
            row.put("optimum_least_s", rounded(least(references.optima(), Optimum::least)));
            row.put("optimum_s", rounded(least(references.optima(), Optimum::reachable)));
        }
        if (!outcome.planner().equals(CONTINUOUS)) {
            row.put("theorem_d1", rounded(ratio(plan, setting.cluster().size())));
        }
        row.put("groups", plan.groups().size());
        row.put("plan_ms", rounded(plan.planMillis()));
        return row;
    }

    private static double least(List<Optimum> optima, ToDoubleFunction<Optimum> seconds) {
        return optima.stream().mapToDouble(seconds).min().orElseThrow();
    }

    private static boolean isThePapers(Setting setting, Outcome outcome) {
        return setting.device() == DeviceSpec.A100_40GB
                && setting.cluster().size() == 8
                && (outcome.planner().equals(DTM) || outcome.planner().equals(CONTINUOUS));
    }

    private static double ratio(SweepPlan plan, int devices) {
        GroupPlan last = plan.groups().stream()
                .max(Comparator.comparingDouble(GroupPlan::end).thenComparingDouble(GroupPlan::start))
                .orElseThrow();
        return JobSchedule.approximationRatio(
                plan.makespan(), last.end() - last.start(), last.devices().size(), devices);
    }

    /** To four digits. */
    private static double rounded(double value) {
        return Double.parseDouble(String.format(Locale.ROOT, "%.4g", value));
    }
}
