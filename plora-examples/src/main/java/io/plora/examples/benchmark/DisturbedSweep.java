package io.plora.examples.benchmark;

import com.google.common.primitives.ImmutableDoubleArray;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.Calibration;
import io.plora.cost.Cluster;
import io.plora.cost.GroupTime;
import io.plora.cost.IterationParts;
import io.plora.cost.MemoryModel;
import io.plora.cost.RooflineTime;
import io.plora.cost.WeightFormat;
import io.plora.model.ModelConfig;
import io.plora.plan.DeviceState;
import io.plora.plan.Disturbances;
import io.plora.plan.EndReason;
import io.plora.plan.PackingPolicy;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepProgress;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A sweep that goes otherwise than predicted, under a policy that finds out as it goes and under the same policy with knowledge
 * of all that.
 *
 * <p>Of the trials, 5% fail after 2% of their samples and 60% are stopped after 10 to 70%. Whoever knew has the same sweep with
 * trials that are only as long as what is really trained (the same samples in the same order), the true time model, and the
 * true speeds of the devices. What nobody can know, how the noise of single stretches falls, is there as its mean.
 *
 * @param samples lengths of an epoch's samples
 */
record DisturbedSweep(
        ModelConfig model,
        Cluster cluster,
        List<LoraConfig> configs,
        int[] samples,
        ActivationPolicy activations,
        Noise noise,
        long seed) {

    /** Share of a device's memory that a sweep may use. */
    static final double LOAD_FACTOR = 0.9;

    private static final double DEVIATION = 0.2;
    private static final double FAILED = 0.05;
    private static final double STOPPED = 0.6;

    /** What predictions are wrong about, always with a standard deviation of 20%. */
    enum Noise {
        /** Each stretch of iterations, whatever the one before took. */
        STRETCH,
        /** Each device, for the whole sweep: it is slower than predicted by a factor of its own. */
        DEVICE,
        /** Each part of the time model (products, attention, low-rank terms, ...), for the whole sweep. */
        MODEL,
        /** All three at once. */
        ALL;

        private boolean includes(Noise other) {
            return this == ALL || this == other;
        }
    }

    /** Share of each trial's samples that it trains. */
    private List<Double> fractions() {
        Random random = new Random(seed);
        List<Double> fractions = new ArrayList<>();
        for (int trial = 0; trial < configs.size(); trial++) {
            double kind = random.nextDouble();
            double fraction = 0.1 + 0.6 * random.nextDouble();
            fractions.add(kind < FAILED ? 0.02 : kind < FAILED + STOPPED ? fraction : 1);
        }
        return fractions;
    }

    /** Samples that a trial never trains: a number of whole batches. */
    private long untrained(int trial, double fraction) {
        int batch = configs.get(trial).batchSize();
        return (long) ((1 - fraction) * samples.length / batch) * batch;
    }

    /** Of each device: actual over predicted time, the fastest one's being 1. */
    private double[] slowdowns() {
        Random random = new Random(seed + 1);
        double[] factors = noise.includes(Noise.DEVICE) ? factors(cluster.size(), random) : equal();
        double fastest = Arrays.stream(factors).min().orElseThrow();
        return Arrays.stream(factors).map(factor -> factor / fastest).toArray();
    }

    private GroupTime actual() {
        if (!noise.includes(Noise.MODEL)) {
            return predicted();
        }
        double[] factors = factors(IterationParts.names().size(), new Random(seed + 2));
        return new Calibration(ImmutableDoubleArray.copyOf(factors), 0, 0, 0, 0).apply(predicted());
    }

    private static double[] factors(int count, Random random) {
        return IntStream.range(0, count)
                .mapToDouble(each -> Math.exp(DEVIATION * random.nextGaussian()))
                .toArray();
    }

    private RooflineTime predicted() {
        return new RooflineTime(model, cluster.device(0), WeightFormat.PLAIN, activations);
    }

    private SweepProgress.Builder sweep() {
        return SweepProgress.builder()
                .withConfigs(configs)
                .withMemory(MemoryModel.onGpu(model).withActivationPolicy(activations));
    }

    private List<DeviceState> devices(double[] slowdowns) {
        return IntStream.range(0, cluster.size())
                .mapToObj(index -> new DeviceState(
                        index,
                        cluster.device(index).usableBytes(LOAD_FACTOR),
                        cluster.nodeOf(index),
                        1 / slowdowns[index]))
                .toList();
    }

    private double[] equal() {
        double[] slowdowns = new double[cluster.size()];
        Arrays.fill(slowdowns, 1);
        return slowdowns;
    }

    /** All as predicted. */
    SweepPlan undisturbed(PackingPolicy policy) {
        return PlanSimulator.simulate(policy, predictedSweep());
    }

    private SweepProgress predictedSweep() {
        return sweep().withLengths((trial, epoch) -> samples)
                .withDevices(devices(equal()))
                .withTime(predicted(), config -> MemoryModel.adapterParameters(model, config))
                .build();
    }

    /** As it happens to a policy that knows nothing of it beforehand. */
    SweepPlan disturbed(PackingPolicy policy) {
        Disturbances.Builder disturbances =
                Disturbances.builder().withSeed(seed).withTime(actual());
        if (noise.includes(Noise.STRETCH)) {
            disturbances.withNoise(DEVIATION);
        }
        double[] slowdowns = slowdowns();
        for (int device = 0; device < slowdowns.length; device++) {
            disturbances.withStraggler(device, slowdowns[device]);
        }
        List<Double> fractions = fractions();
        for (int trial = 0; trial < fractions.size(); trial++) {
            long untrained = untrained(trial, fractions.get(trial));
            if (untrained > 0) {
                disturbances.withStop(
                        trial,
                        (samples.length - untrained - 0.5) / samples.length,
                        fractions.get(trial) < 0.1 ? EndReason.FAILED : EndReason.STOPPED_EARLY);
            }
        }
        return PlanSimulator.simulate(policy, predictedSweep(), disturbances.build());
    }

    /** As it goes under a policy that knows it all; the plan's bound is that of what is really trained. */
    SweepPlan known(PackingPolicy policy) {
        List<Double> fractions = fractions();
        List<Long> untrained = IntStream.range(0, configs.size())
                .mapToObj(trial -> untrained(trial, fractions.get(trial)))
                .toList();
        List<int[]> lengths = untrained.stream().map(this::rotated).toList();
        double mean = noise.includes(Noise.STRETCH) ? Math.exp(DEVIATION * DEVIATION / 2) : 1;
        GroupTime actual = actual();
        return PlanSimulator.simulate(
                policy,
                sweep().withLengths((trial, epoch) -> lengths.get(trial))
                        .withSamplesDone(untrained)
                        .withDevices(devices(slowdowns()))
                        .withTime(
                                (work, degree) -> mean * actual.seconds(work, degree),
                                config -> MemoryModel.adapterParameters(model, config))
                        .build());
    }

    /** So that what comes after the untrained samples is what the sweep begins with. */
    private int[] rotated(long by) {
        List<Integer> rotated = new ArrayList<>(Arrays.stream(samples).boxed().toList());
        Collections.rotate(rotated, (int) by);
        return rotated.stream().mapToInt(length -> length).toArray();
    }
}
