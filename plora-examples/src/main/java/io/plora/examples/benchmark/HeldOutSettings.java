package io.plora.examples.benchmark;

import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Sweeps that no policy was tuned on: other models, clusters, spaces and lengths than the paper's. Each trial sees the samples
 * in an order of its own.
 */
final class HeldOutSettings {
    private static final List<Place> PLACES = List.of(
            new Place("Qwen2.5-0.5B", Cluster.of(4, DeviceSpec.L4)),
            new Place("Llama-3.2-1B", Cluster.of(2, 4, DeviceSpec.A10_24GB)),
            new Place("Qwen2.5-1.5B", Cluster.of(8, DeviceSpec.L40S)),
            new Place("Qwen2.5-3B", Cluster.of(1, DeviceSpec.H100_80GB)),
            new Place("Qwen2.5-7B", Cluster.of(4, DeviceSpec.L4)),
            new Place("Qwen2.5-7B", Cluster.of(3, DeviceSpec.A10_24GB)),
            new Place("Llama-3.1-8B", Cluster.of(8, DeviceSpec.L40S)),
            new Place("Llama-3.1-8B", Cluster.of(4, DeviceSpec.H200)),
            new Place("Qwen2.5-14B", Cluster.of(2, 4, DeviceSpec.L4)),
            new Place("Qwen2.5-14B", Cluster.of(6, DeviceSpec.L40S)),
            new Place("Qwen2.5-32B", Cluster.of(2, 4, DeviceSpec.A100_80GB)),
            new Place("Qwen2.5-32B", Cluster.of(2, 8, DeviceSpec.A10_24GB)),
            new Place("Llama-3.1-70B", Cluster.of(8, DeviceSpec.A100_80GB)),
            new Place("Llama-3.1-70B", Cluster.of(2, 8, DeviceSpec.H100_80GB)));

    private static final int GSM8K_SAMPLES = 1_000;

    private record Place(String model, Cluster cluster) {
        PlannerSetting setting(List<LoraConfig> configs, String lengths, int[] samples) {
            return new PlannerSetting(model, cluster, configs, lengths, samples, true);
        }
    }

    private HeldOutSettings() {}

    /**
     * Three sweeps in each place: the paper's, a wider space of samples whose lengths spread more, and few configurations.
     *
     * @param paper the paper's configurations
     * @param gsm8k lengths of GSM8K's samples
     */
    static List<PlannerSetting> all(List<LoraConfig> paper, int[] gsm8k) {
        List<PlannerSetting> settings = new ArrayList<>();
        for (int i = 0; i < PLACES.size(); i++) {
            Place place = PLACES.get(i);
            int[] some = Arrays.copyOf(gsm8k, GSM8K_SAMPLES);
            settings.add(place.setting(paper, "first 1000 of gsm8k", some));
            settings.add(place.setting(
                    random(40, i, new int[] {4, 8, 16, 32, 64, 128, 256}, new int[] {1, 2, 4, 8, 16, 32, 64}),
                    "log-normal",
                    logNormal(i)));
            int[] alike = new int[600];
            Arrays.fill(alike, 512);
            settings.add(place.setting(random(12, 100 + i, new int[] {8, 16, 32}, new int[] {1, 2, 4}), "512", alike));
        }
        return settings;
    }

    /** Configurations of any of these ranks and batch sizes. */
    static List<LoraConfig> random(int count, long seed, int[] ranks, int[] batchSizes) {
        Random random = new Random(seed);
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            configs.add(LoraConfig.builder()
                    .withRank(ranks[random.nextInt(ranks.length)])
                    .withBatchSize(batchSizes[random.nextInt(batchSizes.length)])
                    .withSeed(i)
                    .build());
        }
        return configs;
    }

    private static int[] logNormal(long seed) {
        Random random = new Random(seed);
        return IntStream.range(0, 800)
                .map(i -> (int) Math.max(8, Math.min(1024, 250 * Math.exp(0.7 * random.nextGaussian()))))
                .toArray();
    }
}
