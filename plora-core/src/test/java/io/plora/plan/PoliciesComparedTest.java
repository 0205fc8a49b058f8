package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.cost.MemoryModel;
import io.plora.cost.ModelShapes;
import io.plora.cost.RooflineTime;
import io.plora.cost.WeightFormat;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Continuous packing beside the other policies, on random spaces, lengths and clusters under the cost model of GPUs. */
class PoliciesComparedTest {
    private static final ActivationPolicy ACTIVATIONS = ActivationPolicy.KEEP_LAYER_INPUTS;

    /** A model and a device that hold it in groups of one to four devices. */
    private record Setting(String model, DeviceSpec device) {}

    private static final List<Setting> SETTINGS = List.of(
            new Setting("Qwen2.5-0.5B", DeviceSpec.L4),
            new Setting("Qwen2.5-7B", DeviceSpec.L40S),
            new Setting("Llama-3.1-8B", DeviceSpec.A100_40GB),
            new Setting("Qwen2.5-7B", DeviceSpec.A10_24GB),
            new Setting("Qwen2.5-14B", DeviceSpec.A10_24GB),
            new Setting("Qwen2.5-14B", DeviceSpec.A100_40GB),
            new Setting("Qwen2.5-32B", DeviceSpec.L40S),
            new Setting("Llama-3.1-70B", DeviceSpec.H100_80GB));

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
    void continuousPackingIsNeverSlowerThanStaticJobs(long seed) {
        double continuous = makespan(new ContinuousPacking(), seed);

        for (PackingPolicy other : List.of(new DtmPacking(), new MinGpu(), new MaxGpu())) {
            assertThat(continuous).as(other.name()).isLessThanOrEqualTo(makespan(other, seed));
        }
    }

    private static double makespan(PackingPolicy policy, long seed) {
        return PlanSimulator.simulate(policy, sweep(new Random(seed))).makespan();
    }

    private static SweepProgress sweep(Random random) {
        Setting setting = SETTINGS.get(random.nextInt(SETTINGS.size()));
        ModelConfig shape = ModelShapes.of(setting.model());
        DeviceSpec device = setting.device();
        Cluster cluster = Cluster.of(1 + random.nextInt(2), 4, device);
        double mean = 100 + random.nextInt(500);
        int[] lengths = IntStream.range(0, 150 + random.nextInt(150))
                .map(i -> (int) Math.min(1024, Math.max(16, mean * Math.exp(0.4 * random.nextGaussian()))))
                .toArray();
        return SweepProgress.builder()
                .withConfigs(configs(random))
                .withLengths((trial, epoch) -> lengths)
                .withMemory(MemoryModel.onGpu(shape).withActivationPolicy(ACTIVATIONS))
                .withTime(
                        new RooflineTime(shape, device, WeightFormat.PLAIN, ACTIVATIONS),
                        config -> MemoryModel.adapterParameters(shape, config))
                .withDevices(IntStream.range(0, cluster.size())
                        .mapToObj(index -> new DeviceState(index, device.usableBytes(0.9), cluster.nodeOf(index), 1))
                        .toList())
                .build();
    }

    private static List<LoraConfig> configs(Random random) {
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 16 + random.nextInt(32); i > 0; i--) {
            configs.add(LoraConfig.builder()
                    .withRank(8 << random.nextInt(5))
                    .withBatchSize(1 << random.nextInt(6))
                    .withSeed(i)
                    .build());
        }
        return configs;
    }
}
