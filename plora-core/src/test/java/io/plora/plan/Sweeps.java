package io.plora.plan;

import com.google.common.primitives.Ints;
import io.plora.cost.GroupMemory;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** Small sweeps for tests. */
public final class Sweeps {
    private Sweeps() {}

    /** A memory model to reckon with in the head: 1000 for the base, the rank for an adapter, 1 for a token. */
    public static final GroupMemory SIMPLE_MEMORY = new GroupMemory() {
        @Override
        public long baseBytes(int degree) {
            return 1000;
        }

        @Override
        public long adapterBytes(LoraConfig config, int degree) {
            return config.rank();
        }

        @Override
        public long tokenBytes(LoraConfig config, int degree) {
            return 1;
        }
    };

    public static LoraConfig config(int rank, int batchSize) {
        return LoraConfig.builder().withRank(rank).withBatchSize(batchSize).build();
    }

    /** All trials see these lengths in this order in every epoch; one device. */
    public static SweepProgress.Builder sweep(
            List<LoraConfig> configs, int[] lengths, int tokenBudget, long memoryBytes) {
        return SweepProgress.builder()
                .withConfigs(configs)
                .withLengths((trial, epoch) -> lengths)
                .withTokenBudget(tokenBudget)
                .withMemory(SIMPLE_MEMORY)
                .withDevices(List.of(new DeviceState(0, memoryBytes)));
    }

    /**
     * A sweep that differs in every respect from seed to seed.
     *
     * @param lengths an order of its own for each trial and epoch
     * @param samples in an epoch
     */
    public record RandomSweep(
            List<LoraConfig> configs,
            SampleLengths lengths,
            int samples,
            int epochs,
            int tokenBudget,
            List<DeviceState> devices) {

        public SweepProgress start() {
            return SweepProgress.builder()
                    .withConfigs(configs)
                    .withEpochs(epochs)
                    .withLengths(lengths)
                    .withTokenBudget(tokenBudget)
                    .withMemory(SIMPLE_MEMORY)
                    .withDevices(devices)
                    .build();
        }
    }

    public static RandomSweep random(long seed) {
        Random random = new Random(seed);
        int[] lengths = random.ints(1 + random.nextInt(40), 1, 120).toArray();
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 1 + random.nextInt(25); i > 0; i--) {
            configs.add(LoraConfig.builder()
                    .withRank(1 + random.nextInt(64))
                    .withBatchSize(1 + random.nextInt(9))
                    .withSeed(i)
                    .build());
        }
        return new RandomSweep(
                configs,
                (trial, epoch) -> shuffled(lengths, 31L * trial + epoch),
                lengths.length,
                1 + random.nextInt(3),
                1 + random.nextInt(1000),
                IntStream.rangeClosed(0, random.nextInt(3))
                        .mapToObj(device -> new DeviceState(device, 1200 + random.nextInt(2000)))
                        .toList());
    }

    private static int[] shuffled(int[] lengths, long seed) {
        List<Integer> shuffled = new ArrayList<>(Ints.asList(lengths));
        Collections.shuffle(shuffled, new Random(seed));
        return Ints.toArray(shuffled);
    }
}
