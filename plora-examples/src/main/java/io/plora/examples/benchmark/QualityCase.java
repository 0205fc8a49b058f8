package io.plora.examples.benchmark;

import com.google.common.math.IntMath;
import io.plora.data.DataOrder;
import io.plora.space.LoraConfig;
import io.plora.space.Schedule;
import io.plora.space.TargetModule;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A training whose losses are compared between devices and libraries; no dropout, as each library draws its own. */
record QualityCase(String name, LoraConfig config) {

    /** Together they have every target module, schedule and kind of scale, with and without clipping and weight decay. */
    static List<QualityCase> all() {
        return List.of(
                new QualityCase(
                        "all modules",
                        LoraConfig.builder()
                                .withRank(16)
                                .withAlpha(32)
                                .withLearningRate(1e-3)
                                .withBatchSize(4)
                                .withSeed(1)
                                .build()),
                new QualityCase(
                        "q and v",
                        LoraConfig.builder()
                                .withRank(8)
                                .withAlpha(8)
                                .withRankStabilized(true)
                                .withLearningRate(3e-3)
                                .withBatchSize(8)
                                .withTargetModules(List.of(TargetModule.Q_PROJ, TargetModule.V_PROJ))
                                .withSchedule(Schedule.LINEAR)
                                .withWarmupRatio(0.1)
                                .withSeed(2)
                                .build()),
                new QualityCase(
                        "mlp",
                        LoraConfig.builder()
                                .withRank(64)
                                .withAlpha(64)
                                .withLearningRate(5e-4)
                                .withBatchSize(2)
                                .withTargetModules(
                                        List.of(TargetModule.GATE_PROJ, TargetModule.UP_PROJ, TargetModule.DOWN_PROJ))
                                .withSchedule(Schedule.COSINE)
                                .withWeightDecay(0.1)
                                .withMaxGradientNorm(0)
                                .withSeed(3)
                                .build()));
    }

    /** Passes over the samples that hold a number of steps. */
    int epochs(int steps, int samples) {
        return IntMath.divide(steps, stepsOfEpoch(samples), RoundingMode.CEILING);
    }

    private int stepsOfEpoch(int samples) {
        return IntMath.divide(samples, config.batchSize(), RoundingMode.CEILING);
    }

    /** The samples of each step, as the engine takes them: batches do not span epochs. */
    List<int[]> batches(int steps, int samples) {
        DataOrder order = new DataOrder(config.seed(), samples);
        List<int[]> batches = new ArrayList<>();
        for (int epoch = 0; epoch < epochs(steps, samples); epoch++) {
            int[] indices = order.epoch(epoch);
            for (int from = 0; from < samples; from += config.batchSize()) {
                batches.add(Arrays.copyOfRange(indices, from, Math.min(samples, from + config.batchSize())));
            }
        }
        return batches.subList(0, steps);
    }
}
