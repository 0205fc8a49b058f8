package io.plora.examples.benchmark;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.Bytes;
import io.plora.cost.GroupWork;
import io.plora.cost.IterationParts;
import io.plora.cost.MemoryModel;
import io.plora.cost.PartedTime;
import io.plora.execute.ComputeDevice;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * How a step of one sample of every adapter is made where all adapters are in memory: in as few passes as memory allows, of
 * nearly as many adapters each.
 *
 * @param policy what is kept of the forward pass
 * @param passes adapters of each pass
 * @param predicted seconds of the step, by what they are spent on, pass by pass
 * @param predictedBytes of weights, adapters and the largest pass
 */
record StepPlan(
        ActivationPolicy policy, List<List<LoraConfig>> passes, List<IterationParts> predicted, long predictedBytes) {

    double predictedSeconds() {
        return predicted.stream().mapToDouble(IterationParts::seconds).sum();
    }

    /** Predicted seconds of one part of all passes. */
    double predicted(ToDoubleFunction<IterationParts> part) {
        return predicted.stream().mapToDouble(part).sum();
    }

    /**
     * The plan of least predicted time.
     *
     * @param tokens of each sample
     * @param policy to use, or null for whichever is fastest
     * @throws IllegalArgumentException if memory does not hold all adapters and one sample
     */
    static StepPlan of(
            ModelConfig model,
            List<LoraConfig> configs,
            int tokens,
            ComputeDevice device,
            @Nullable ActivationPolicy policy) {
        StepPlan best = null;
        for (ActivationPolicy candidate :
                policy == null ? ActivationPolicy.values() : new ActivationPolicy[] {policy}) {
            StepPlan plan = under(candidate, model, configs, tokens, device);
            if (plan != null && (best == null || plan.predictedSeconds() < best.predictedSeconds())) {
                best = plan;
            }
        }
        if (best == null) {
            throw new IllegalArgumentException(
                    "(%d) adapters and a sample of (%d) tokens do not fit the device's (%s). Maybe use fewer adapters or lower ranks."
                            .formatted(configs.size(), tokens, Bytes.toText(device.memoryBytes())));
        }
        return best;
    }

    private static @Nullable StepPlan under(
            ActivationPolicy policy, ModelConfig model, List<LoraConfig> configs, int tokens, ComputeDevice device) {
        MemoryModel memory = device.memory(model).withActivationPolicy(policy);
        long held = memory.baseBytes(1)
                + configs.stream()
                        .mapToLong(config -> memory.adapterBytes(config, 1))
                        .sum();
        List<List<LoraConfig>> passes = Stream.iterate(1, count -> count + 1)
                .limit(configs.size())
                .map(count -> split(configs, count))
                .filter(split -> held + largest(split, memory, tokens) <= device.memoryBytes())
                .findFirst()
                .orElse(null);
        if (passes == null) {
            return null;
        }
        PartedTime time = device.time(model, policy);
        List<IterationParts> predicted = passes.stream()
                .map(pass -> time.parts(work(model, pass, tokens), 1))
                .toList();
        int mostTokens = passes.stream().mapToInt(List::size).max().orElseThrow() * tokens;
        long spared = memory.baseBytes(1) - memory.forPassesOf(mostTokens).baseBytes(1);
        return new StepPlan(policy, passes, predicted, held - spared + largest(passes, memory, tokens));
    }

    private static List<List<LoraConfig>> split(List<LoraConfig> configs, int count) {
        List<List<LoraConfig>> passes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            passes.add(configs.subList(i * configs.size() / count, (i + 1) * configs.size() / count));
        }
        return passes;
    }

    /** Bytes that the tokens of the largest pass take. */
    private static long largest(List<List<LoraConfig>> passes, MemoryModel memory, int tokens) {
        return passes.stream()
                .mapToLong(pass -> pass.stream()
                        .mapToLong(config -> tokens * memory.tokenBytes(config, 1))
                        .sum())
                .max()
                .orElseThrow();
    }

    private static GroupWork work(ModelConfig model, List<LoraConfig> configs, int tokens) {
        return configs.stream()
                .map(config -> GroupWork.of(
                        MemoryModel.adapterParameters(model, config), tokens, 1, tokens * (tokens + 1.0) / 2, 1))
                .reduce(GroupWork.NONE, GroupWork::plus);
    }
}
