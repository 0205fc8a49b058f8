package io.plora.execute;

import io.plora.Metric;
import io.plora.cost.ActivationChoice;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.Calibration;
import io.plora.cost.GroupTime;
import io.plora.cost.MemoryModel;
import io.plora.cost.PartedTime;
import io.plora.data.DataOrder;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.model.BaseModel;
import io.plora.plan.DeviceState;
import io.plora.plan.PackingPolicy;
import io.plora.plan.SweepProgress;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Everything that a sweep is run from, checked.
 *
 * @param base model whose weights stay frozen
 * @param configs what to train, each with an id of its own
 * @param training encoded training samples
 * @param validation what trials are ranked by
 * @param epochs passes over the training samples
 * @param metric what trials are ranked by
 * @param policy decides who trains with whom
 * @param devices where; all compute in the same types
 * @param tokenBudget most tokens of an iteration, unless it is a single sample; null for as many as pay
 * @param output the sweep's folder
 * @param initialAdapter folder of an adapter that every trial starts from; null for a new one each
 * @param checkpointInterval longest time after which running trials are saved; they are at the end of each epoch anyway
 * @param calibration of the first device's time model, by which the policy goes; null for the time model as it is
 * @param measuredTimes whether the policy goes by what iterations of the run take, once some are measured
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
        @Nullable Integer tokenBudget,
        Path output,
        @Nullable Path initialAdapter,
        Duration checkpointInterval,
        @Nullable Calibration calibration,
        boolean measuredTimes) {

    /** @throws IllegalArgumentException if something cannot be run, naming it */
    public SweepSpec {
        configs = List.copyOf(configs);
        devices = List.copyOf(devices);
        SpecCheck.positive("Epochs", epochs);
        if (tokenBudget != null) {
            SpecCheck.positive("Token budget", tokenBudget);
        }
        SpecCheck.interval(checkpointInterval);
        SpecCheck.configs(configs);
        SpecCheck.devices(devices);
        SpecCheck.training(base.config(), training);
        SpecCheck.validation(base.config(), validation, metric);
    }

    /** With the devices as they are {@linkplain ComputeDevice#now now}. */
    SweepSpec now() {
        return new SweepSpec(
                base,
                configs,
                training,
                validation,
                epochs,
                metric,
                policy,
                devices.stream().map(ComputeDevice::now).toList(),
                tokenBudget,
                output,
                initialAdapter,
                checkpointInterval,
                calibration,
                measuredTimes);
    }

    /** The bookkeeping of a sweep over some configurations, each of which has done some samples. */
    public SweepProgress progress(List<LoraConfig> open, List<Long> samplesDone) {
        return progress(open, samplesDone, calibration == null ? time() : calibration.apply(time()));
    }

    SweepProgress progress(List<LoraConfig> open, List<Long> samplesDone, GroupTime time) {
        ActivationChoice activations = activations();
        List<DeviceState> states = new ArrayList<>();
        for (ComputeDevice device : devices) {
            states.add(new DeviceState(states.size(), device.memoryBytes()));
        }
        return SweepProgress.builder()
                .withConfigs(open)
                .withSamplesDone(samplesDone)
                .withDevices(states)
                .withLengths((trial, epoch) -> lengths(open.get(trial), epoch))
                .withLongestEvaluated(validation.longestSequence())
                .withMemory(memory(activations.policy()))
                .withTime(time, config -> MemoryModel.adapterParameters(base.config(), config))
                .withEpochs(epochs)
                .withTokenBudget(activations.tokenBudget())
                .build();
    }

    /** How long iterations take before any is measured. */
    PartedTime time() {
        return devices.get(0).time(base.config(), activations().policy());
    }

    private int[] lengths(LoraConfig config, int epoch) {
        return IntStream.of(new DataOrder(config.seed(), training.size()).epoch(epoch))
                .map(sample -> training.samples().get(sample).rows())
                .toArray();
    }

    /** The devices in words. */
    String deviceNames() {
        return devices.stream().map(ComputeDevice::name).collect(Collectors.joining(", "));
    }

    /** What groups cost on this engine's devices. */
    MemoryModel memory(ActivationPolicy policy) {
        return devices.get(0).memory(base.config()).withActivationPolicy(policy);
    }

    /** What groups keep of the forward pass and how many tokens they take at once, the same on every device. */
    ActivationChoice activations() {
        long smallest =
                devices.stream().mapToLong(ComputeDevice::memoryBytes).min().orElseThrow();
        double meanTokens =
                training.samples().stream().mapToInt(Sample::rows).average().orElseThrow();
        return ActivationChoice.of(
                new ActivationChoice.Load(configs, meanTokens, longestSequence()),
                devices.get(0).memory(base.config()),
                policy -> devices.get(0).time(base.config(), policy),
                smallest,
                tokenBudget);
    }

    /** Tokens that a whole trial trains on. */
    long tokensOfTrial() {
        return epochs * training.samples().stream().mapToLong(Sample::rows).sum();
    }

    /** Tokens of the longest sequence that is trained on or evaluated. */
    int longestSequence() {
        return Math.max(training.longest(), validation.longestSequence());
    }
}
