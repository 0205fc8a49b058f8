package io.plora.execute;

import io.plora.Metric;
import io.plora.data.Dataset;
import io.plora.model.BaseModel;
import io.plora.plan.PackingPolicy;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Everything that a sweep is run from.
 *
 * @param base model whose weights stay frozen
 * @param configs what to train, each with an id of its own
 * @param training encoded training samples
 * @param validation what trials are ranked by
 * @param epochs passes over the training samples
 * @param metric what trials are ranked by
 * @param policy decides who trains with whom
 * @param devices where
 * @param tokenBudget most tokens of an iteration, unless it is a single sample
 * @param output the sweep's folder
 * @param initialAdapter folder of an adapter that every trial starts from; null for a new one each
 * @param checkpointInterval longest time after which running trials are saved; they are at the end of each epoch anyway
 */
public record SweepSpec(
        BaseModel base,
        List<LoraConfig> configs,
        Dataset training,
        Validation validation,
        int epochs,
        Metric metric,
        PackingPolicy policy,
        List<ComputeDevice> devices,
        int tokenBudget,
        Path output,
        @Nullable Path initialAdapter,
        Duration checkpointInterval) {

    public SweepSpec {
        configs = List.copyOf(configs);
        devices = List.copyOf(devices);
    }

    /** Tokens of one epoch. */
    public long epochTokens() {
        return training.samples().stream().mapToLong(sample -> sample.rows()).sum();
    }

    /** Optimizer steps of a configuration: ceil(samples / batch size) an epoch. */
    public long optimizerSteps(LoraConfig config) {
        long batches = (training.size() + config.batchSize() - 1L) / config.batchSize();
        return epochs * batches;
    }
}
