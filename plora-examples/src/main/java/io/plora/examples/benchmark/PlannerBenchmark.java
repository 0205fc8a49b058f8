package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Plans sweeps by every policy and runs them in the simulator under the time model. Prints a JSON row for each and writes them to
 * {@code plora-examples/benchmarks/results/planner.jsonl}.
 *
 * <ul>
 *   <li>The paper's setting (Yan et al. 2025, arXiv 2508.02932): 120 configurations, one epoch of 7,473 samples, six models, two
 *       clusters of eight GPUs. Every policy gets the activation policy with which it is fastest; the lower bound is the lowest of
 *       them all. {@code vs_min_gpu} compares with this engine running configurations alone, {@code vs_peft} with people's
 *       present way, also alone, with 150 ms of host time a step. GSM8K's lengths are those of question and answer in the
 *       bundled tokenizer.
 *   <li>Five configurations on one GPU, where they fit, few enough for the optimum: {@code optimum_least_s} and {@code
 *       optimum_s} enclose what the best continuous packing takes, so that they say how much of a gap is the schedule's and how
 *       much the bound's.
 *   <li>Sweeps that no policy was tuned on, marked {@code held_out}.
 *   <li>Small random sweeps, marked {@code small}: how often static jobs are faster.
 *   <li>From 100 to 10,000 configurations, marked {@code scale}: planning time, reading of the data orders included, and the
 *       exponent of its growth; peak heap.
 * </ul>
 *
 * <p>Fails if continuous packing is slower than DTM in the first three.
 */
@Command(
        name = "PlannerBenchmark",
        mixinStandardHelpOptions = true,
        description = "Plans the paper's sweeps, held-out, small and large ones.")
public final class PlannerBenchmark implements Callable<Integer> {
    private static final int SAMPLES = 7_473;

    /** The paper's makespans on eight A100-40GB: Min GPU over PLoRA. */
    private static final Map<String, Double> PAPER = Map.of(
            "Qwen2.5-3B", 7.08,
            "Qwen2.5-7B", 6.52,
            "Qwen2.5-14B", 6.51,
            "Qwen2.5-32B", 6.33,
            "Llama-3.2-3B", 7.52,
            "Llama-3.1-8B", 6.78);

    /** Ranks and batch sizes of the configurations on one GPU. */
    private static final int[][] FEW = {{16, 1}, {32, 2}, {8, 4}, {64, 8}, {32, 16}};
    /** A multiple of all batch sizes. */
    private static final int FEW_SAMPLES = 7_472;

    private enum Part {
        PAPER,
        HELD_OUT,
        SMALL,
        SCALE
    }

    @Option(names = "--parts", split = ",", description = "what is planned: ${COMPLETION-CANDIDATES} (default: all)")
    private List<Part> parts = List.of(Part.values());

    @Option(
            names = "--models",
            split = ",",
            description = "base models of the paper's setting (default: ${DEFAULT-VALUE})")
    private List<String> models =
            List.of("Qwen2.5-3B", "Qwen2.5-7B", "Qwen2.5-14B", "Qwen2.5-32B", "Llama-3.2-3B", "Llama-3.1-8B");

    @Option(names = "--results", description = "file that is written (default: ${DEFAULT-VALUE})")
    private Path results = Path.of("plora-examples/benchmarks/results/planner.jsonl");

    private final List<String> rows = new ArrayList<>();
    private final List<ObjectNode> slower = new ArrayList<>();

    public static void main(String[] arguments) {
        CommandLines.main(new PlannerBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        List<LoraConfig> configs =
                SearchSpace.csv(ExampleFiles.find("benchmarks/paper_sweep.csv")).configs();
        Map<String, int[]> lengths = lengths();
        for (Part part : parts) {
            switch (part) {
                case PAPER -> planPaper(configs, lengths);
                case HELD_OUT ->
                    HeldOutSettings.all(configs, lengths.get("gsm8k"))
                            .forEach(setting ->
                                    PlannerRows.of(setting).forEach(row -> print(row.put("held_out", true))));
                case SMALL -> SmallSweeps.rows().forEach(this::print);
                case SCALE ->
                    lengths.forEach((name, samples) -> {
                        PlannerScale.rows(name, samples, false).forEach(this::print);
                        PlannerScale.rows(name, samples, true).forEach(this::print);
                    });
            }
        }
        Files.createDirectories(results.toAbsolutePath().getParent());
        Files.write(results, rows);
        if (!slower.isEmpty()) {
            throw new IllegalStateException("Continuous packing is slower than DTM: " + slower);
        }
        return 0;
    }

    private static Map<String, int[]> lengths() throws IOException {
        Map<String, int[]> lengths = new LinkedHashMap<>();
        lengths.put("1024", alike(SAMPLES, 1024));
        lengths.put(
                "gsm8k",
                Files.readAllLines(ExampleFiles.find("benchmarks/gsm8k_lengths.txt")).stream()
                        .mapToInt(Integer::parseInt)
                        .toArray());
        return lengths;
    }

    private static int[] alike(int samples, int tokens) {
        int[] alike = new int[samples];
        Arrays.fill(alike, tokens);
        return alike;
    }

    private void planPaper(List<LoraConfig> configs, Map<String, int[]> lengths) {
        for (String model : models) {
            for (DeviceSpec device : List.of(DeviceSpec.A100_40GB, DeviceSpec.A10_24GB)) {
                lengths.forEach((name, samples) -> {
                    PlannerRows.of(new PlannerSetting(model, Cluster.of(8, device), configs, name, samples, false))
                            .forEach(row -> print(withThePapers(row)));
                    int mean = (int) Math.round(Arrays.stream(samples).average().orElseThrow());
                    PlannerRows.of(new PlannerSetting(
                                    model,
                                    Cluster.of(1, device),
                                    few(),
                                    "mean of " + name,
                                    alike(FEW_SAMPLES, mean),
                                    false))
                            .forEach(this::print);
                });
            }
        }
    }

    private static ObjectNode withThePapers(ObjectNode row) {
        String planner = row.get("planner").asText();
        boolean compared = planner.equals(PlannerRows.DTM) || planner.equals(PlannerRows.CONTINUOUS);
        if (compared && row.get("cluster").asText().equals("8x" + DeviceSpec.A100_40GB.name())) {
            row.put("paper_vs_min_gpu", PAPER.get(row.get("model").asText()));
        }
        return row;
    }

    private static List<LoraConfig> few() {
        return Arrays.stream(FEW)
                .map(values -> LoraConfig.builder()
                        .withRank(values[0])
                        .withBatchSize(values[1])
                        .build())
                .toList();
    }

    private void print(ObjectNode row) {
        rows.add(row.toString());
        System.out.println(row);
        boolean continuous = row.path("planner").asText().equals(PlannerRows.CONTINUOUS);
        if (continuous && row.path("vs_dtm").asDouble(1) < 1) {
            slower.add(row);
        }
    }
}
