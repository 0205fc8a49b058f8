package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.math.Quantiles;
import io.plora.cost.IterationParts;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import io.plora.train.StepReport;
import io.plora.train.Training;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;

/**
 * Steps of one sample of every adapter, each with its optimizer update.
 *
 * @param name of the model
 * @param adapters of batch size 1, all in memory
 * @param tokens of a sample, all of which have a target
 */
record TrainingCase(String name, ModelConfig model, List<AdapterWeights> adapters, int tokens) {
    private static final int SAMPLES = 8;
    private static final int MANY_EPOCHS = 1_000_000;

    List<LoraConfig> configs() {
        return adapters.stream().map(AdapterWeights::config).toList();
    }

    /**
     * Runs the plan's passes, step after step.
     *
     * @param warmUp steps that are not counted
     * @param warm called once they are done
     * @return seconds of each step
     * @throws IllegalStateException if a loss or gradient is not finite
     */
    List<Double> run(StepPlan plan, DecoderWeights weights, Kernels kernels, int warmUp, int steps, Runnable warm) {
        PackedTrainer trainer = new PackedTrainer(model, weights, kernels, plan.policy());
        List<Training> members = members();
        members.forEach(trainer::join);
        List<Map<Training, Integer>> passes = new ArrayList<>();
        int next = 0;
        for (List<LoraConfig> pass : plan.passes()) {
            Map<Training, Integer> samples = new LinkedHashMap<>();
            members.subList(next, next + pass.size()).forEach(member -> samples.put(member, 1));
            passes.add(samples);
            next += pass.size();
        }
        List<Double> seconds = new ArrayList<>();
        for (int step = 0; step < warmUp + steps; step++) {
            if (step == warmUp) {
                warm.run();
            }
            long start = System.nanoTime();
            passes.forEach(pass -> requireFinite(trainer.step(pass)));
            if (step >= warmUp) {
                seconds.add((System.nanoTime() - start) / 1e9);
            }
        }
        trainer.release();
        return seconds;
    }

    private List<Sample> samples() {
        return samples(model, tokens);
    }

    /** Samples of random tokens, all of which have a target. */
    static List<Sample> samples(ModelConfig model, int tokens) {
        SplittableRandom random = new SplittableRandom(tokens);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < SAMPLES; i++) {
            boolean[] answer = new boolean[tokens + 1];
            Arrays.fill(answer, 1, answer.length, true);
            samples.add(new Sample(
                    random.ints(tokens + 1, 0, model.vocabularySize()).toArray(), answer));
        }
        return samples;
    }

    private List<Training> members() {
        Dataset data = new Dataset("random tokens", samples(), 0, 0);
        return adapters.stream()
                .map(adapter -> new Training(adapter, data, MANY_EPOCHS, Training.Position.START))
                .toList();
    }

    /**
     * Stops a measurement in which an adapter cannot go on.
     *
     * @throws IllegalStateException if a loss or gradient is not finite
     */
    static void requireFinite(StepReport report) {
        for (StepReport.Member member : report.members()) {
            if (member.failure() != null) {
                throw new IllegalStateException(
                        "Adapter (%s): %s".formatted(member.training().config().id(), member.failure()));
            }
        }
    }

    /** Floating-point operations of a step, without what is computed again. */
    double operations() {
        TrainingOperations operations = new TrainingOperations(model);
        List<Sample> sample = samples().subList(0, 1);
        return configs().stream()
                .mapToDouble(config -> operations.of(config, sample))
                .sum();
    }

    /** The case and what was measured, with the names of the rows of PEFT. */
    ObjectNode row(StepPlan plan, List<Double> seconds, long peakBytes, double peakOperationsPerSecond) {
        double median = Quantiles.median().compute(seconds);
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("model", name);
        row.put("kind", "packed");
        row.put("batch", 1);
        row.put("seq", tokens);
        row.set("rank", ranks());
        row.put("ms", rounded(1e3 * median, 2));
        row.put("tokens_per_s", Math.round(adapters.size() * tokens / median));
        row.put("peak_gib", gibibytes(peakBytes));
        row.put("adapters", adapters.size());
        row.put("utilisation", rounded(operations() / median / peakOperationsPerSecond, 4));
        row.put("predicted_ms", rounded(1e3 * plan.predictedSeconds(), 2));
        row.put("predicted_gib", gibibytes(plan.predictedBytes()));
        row.put("passes", plan.passes().size());
        row.put("activations", plan.policy().name());
        row.put("steps", seconds.size());
        row.put(
                "slowest_ms",
                rounded(1e3 * seconds.stream().mapToDouble(s -> s).max().orElseThrow(), 2));
        return row;
    }

    /** One row a part of the step: what it took with waits, and what the time model says. */
    List<ObjectNode> partRows(StepPlan plan, Map<String, StepParts.Part> parts, int steps) {
        List<ObjectNode> rows = new ArrayList<>();
        parts.forEach((name, part) -> {
            ObjectNode row = JsonNodeFactory.instance.objectNode();
            row.put("model", this.name);
            row.put("kind", "part");
            row.put("part", name);
            row.put("seq", tokens);
            row.set("rank", ranks());
            row.put("adapters", adapters.size());
            row.put("ms", rounded(1e3 * part.seconds() / steps, 3));
            row.put("calls", part.calls() / steps);
            row.put("predicted_ms", rounded(1e3 * plan.predicted(predictedPart(name)), 3));
            rows.add(row);
        });
        return rows;
    }

    private static ToDoubleFunction<IterationParts> predictedPart(String name) {
        return switch (name) {
            case "products and low-rank" -> parts -> parts.products() + parts.lowRank();
            case "attention" -> IterationParts::attention;
            case "loss" -> IterationParts::loss;
            case "optimizer" -> IterationParts::optimizer;
            default -> IterationParts::pointwise;
        };
    }

    /** The rank of all adapters, or the different ones. */
    private JsonNode ranks() {
        List<Integer> ranks =
                configs().stream().map(LoraConfig::rank).distinct().sorted().toList();
        if (ranks.size() == 1) {
            return JsonNodeFactory.instance.numberNode(ranks.get(0));
        }
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        ranks.forEach(array::add);
        return array;
    }

    private static double gibibytes(long bytes) {
        return rounded(bytes / (double) (1L << 30), 3);
    }

    private static double rounded(double value, int digits) {
        double scale = Math.pow(10, digits);
        return Math.round(value * scale) / scale;
    }
}
