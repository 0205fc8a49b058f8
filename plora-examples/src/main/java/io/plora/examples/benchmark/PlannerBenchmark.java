package io.plora.examples.benchmark;

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
import java.util.stream.IntStream;

/**
 * The paper's setting (Yan et al. 2025, arXiv 2508.02932, section 7): 120 configurations, one epoch of 7,473 samples, six models,
 * two clusters of eight GPUs, planned by every policy and run in the simulator under the time model. Prints a JSON row for
 * each and writes them to {@code plora-examples/benchmarks/results/planner.jsonl}.
 *
 * <p>Every policy gets the activation policy with which it is fastest; the lower bound is the lowest of them all, so it holds
 * whichever is chosen. {@code vs_min_gpu} compares with this engine running configurations alone, {@code vs_peft} with
 * people's present way, also alone, with 150 ms of host time a step. GSM8K's lengths are those of question and answer in the
 * bundled tokenizer.
 */
public final class PlannerBenchmark {
    private static final int SAMPLES = 7_473;
    private static final double LOAD_FACTOR = 0.9;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Table of the paper's makespans on eight A100-40GB, Min GPU over PLoRA. */
    private static final Map<String, Double> PAPER = Map.of(
            "Qwen2.5-3B", 7.08,
            "Qwen2.5-7B", 6.52,
            "Qwen2.5-14B", 6.51,
            "Qwen2.5-32B", 6.33,
            "Llama-3.2-3B", 7.52,
            "Llama-3.1-8B", 6.78);

    private static final List<String> MODELS =
            List.of("Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-14B", "Qwen2.5-32B", "Llama-3.2-3B", "Llama-3.1-8B");

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
                for (Map.Entry<String, int[]> samples : lengths.entrySet()) {
                    Setting setting =
                            new Setting(model, Cluster.of(8, device), configs, samples.getKey(), samples.getValue());
                    for (Map<String, Object> row : rows(setting)) {
                        rows.add(JSON.writeValueAsString(row));
                        System.out.println(rows.get(rows.size() - 1));
                    }
                }
            }
        }
        Files.createDirectories(folder.resolve("results"));
        Files.write(folder.resolve("results").resolve("planner.jsonl"), rows);
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

        Outcome run(PackingPolicy policy, GroupTime time, ActivationPolicy activations) {
            SweepProgress sweep = SweepProgress.builder()
                    .withConfigs(configs)
                    .withLengths((trial, epoch) -> samples)
                    .withDevices(IntStream.range(0, cluster.size())
                            .mapToObj(index -> new DeviceState(index, device().usableBytes(LOAD_FACTOR)))
                            .toList())
                    .withMemory(MemoryModel.onGpu(shape()).withActivationPolicy(activations))
                    .withTime(time, config -> MemoryModel.adapterParameters(shape(), config))
                    .build();
            return new Outcome(policy.name(), activations, PlanSimulator.simulate(policy, sweep));
        }
    }

    private record Outcome(String planner, ActivationPolicy activations, SweepPlan plan) {}

    private static List<Map<String, Object>> rows(Setting setting) {
        List<Outcome> all = new ArrayList<>();
        List<Outcome> peft = new ArrayList<>();
        for (ActivationPolicy activations : ActivationPolicy.values()) {
            RooflineTime engine = setting.engine(activations);
            for (PackingPolicy policy :
                    List.of(new MinGpu(), new MaxGpu(), new DtmPacking(), new ContinuousPacking())) {
                all.add(setting.run(policy, engine, activations));
            }
            all.add(setting.run(new SequentialPlora(engine), new SequentialTime(engine), activations));
            peft.add(setting.run(new MinGpu(), new PeftTime(engine), activations));
        }
        double bound = all.stream()
                .filter(outcome -> outcome.planner().equals(new DtmPacking().name()))
                .mapToDouble(outcome -> outcome.plan().bound().seconds())
                .min()
                .orElseThrow();
        double minGpu = fastest(all, new MinGpu().name()).plan().makespan();
        double minPeft = fastest(peft, new MinGpu().name()).plan().makespan();
        return all.stream()
                .map(Outcome::planner)
                .distinct()
                .map(planner -> row(setting, fastest(all, planner), bound, minGpu, minPeft))
                .toList();
    }

    private static Outcome fastest(List<Outcome> outcomes, String planner) {
        return outcomes.stream()
                .filter(outcome -> outcome.planner().equals(planner))
                .min(Comparator.comparingDouble(outcome -> outcome.plan().makespan()))
                .orElseThrow();
    }

    private static Map<String, Object> row(
            Setting setting, Outcome outcome, double bound, double minGpu, double minPeft) {
        SweepPlan plan = outcome.plan();
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("model", setting.model());
        row.put("cluster", setting.cluster().size() + "x" + setting.device().name());
        row.put("configs", setting.configs().size());
        row.put("lengths", setting.lengths());
        row.put("planner", outcome.planner());
        row.put("activations", outcome.activations());
        row.put("makespan_s", rounded(plan.makespan()));
        row.put("vs_min_gpu", rounded(minGpu / plan.makespan()));
        row.put("vs_peft", rounded(minPeft / plan.makespan()));
        row.put("paper_vs_min_gpu", setting.device() == DeviceSpec.A100_40GB ? PAPER.get(setting.model()) : null);
        row.put("lower_bound_s", rounded(bound));
        row.put("gap", rounded(plan.makespan() / bound - 1));
        row.put("theorem_d1", rounded(ratio(plan, setting.cluster().size())));
        row.put("groups", plan.groups().size());
        row.put("plan_ms", rounded(plan.planMillis()));
        return row;
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
