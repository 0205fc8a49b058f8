package io.plora.examples.benchmark;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.cost.GroupTime;
import io.plora.cost.MemoryModel;
import io.plora.cost.ModelShapes;
import io.plora.cost.RooflineTime;
import io.plora.cost.WeightFormat;
import io.plora.model.ModelConfig;
import io.plora.plan.DeviceState;
import io.plora.plan.PackingPolicy;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SampleLengths;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepProgress;
import io.plora.space.LoraConfig;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A sweep to be planned, one epoch.
 *
 * @param cluster of one kind of device
 * @param configs what is trained
 * @param lengths name of the samples' lengths
 * @param samples lengths of an epoch's samples
 * @param ownOrders whether each trial sees them in an order of its own
 */
record PlannerSetting(
        String model, Cluster cluster, List<LoraConfig> configs, String lengths, int[] samples, boolean ownOrders) {

    private static final double LOAD_FACTOR = 0.9;

    DeviceSpec device() {
        return cluster.device(0);
    }

    String clusterName() {
        int nodes = cluster.nodes().size();
        return (nodes > 1 ? nodes + "x" : "") + cluster.largestNode() + "x" + device().name();
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

    /** Activation policies with which every configuration fits a whole node. */
    List<ActivationPolicy> fitting() {
        int degree = Integer.highestOneBit(cluster.largestNode());
        return Arrays.stream(ActivationPolicy.values())
                .filter(activations -> fits(activations, degree))
                .toList();
    }

    boolean fits(ActivationPolicy activations, int degree) {
        MemoryModel memory = memory(activations);
        long longest = Arrays.stream(samples).max().orElseThrow();
        return configs.stream()
                .allMatch(config -> memory.baseBytes(degree)
                                + memory.adapterBytes(config, degree)
                                + longest * memory.tokenBytes(config, degree)
                        <= deviceBytes());
    }

    /** @param time that iterations take */
    SweepProgress start(GroupTime time, ActivationPolicy activations) {
        return SweepProgress.builder()
                .withConfigs(configs)
                .withLengths(order())
                .withDevices(IntStream.range(0, cluster.size())
                        .mapToObj(index -> new DeviceState(index, deviceBytes(), cluster.nodeOf(index), 1))
                        .toList())
                .withMemory(memory(activations))
                .withTime(time, config -> MemoryModel.adapterParameters(shape(), config))
                .build();
    }

    SweepPlan run(PackingPolicy policy, GroupTime time, ActivationPolicy activations) {
        return PlanSimulator.simulate(policy, start(time, activations));
    }

    private SampleLengths order() {
        return ownOrders ? (trial, epoch) -> shuffled(trial) : (trial, epoch) -> samples;
    }

    private int[] shuffled(int trial) {
        Random random = new Random(trial);
        int[] shuffled = samples.clone();
        for (int i = shuffled.length - 1; i > 0; i--) {
            int other = random.nextInt(i + 1);
            int length = shuffled[i];
            shuffled[i] = shuffled[other];
            shuffled[other] = length;
        }
        return shuffled;
    }
}
