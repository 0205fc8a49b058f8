package io.plora.plan;

import com.google.common.primitives.Ints;
import io.plora.cost.GroupMemory;
import io.plora.cost.GroupTime;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A sweep on a cluster, both different in every respect from seed to seed: nodes, memory and speed of their devices, ranks,
 * batch sizes, epochs, lengths of samples in an order of their own for each trial and epoch, token budget, samples that are
 * done already. Every trial fits node 0.
 */
final class RandomCluster {
    /** A base model of 1000 bytes split over the devices, 4 bytes a rank, 1 for a token. */
    static final GroupMemory MEMORY = new GroupMemory() {
        @Override
        public long baseBytes(int degree) {
            return 1000 / degree;
        }

        @Override
        public long adapterBytes(LoraConfig config, int degree) {
            return 4L * config.rank() / degree;
        }

        @Override
        public long tokenBytes(LoraConfig config, int degree) {
            return 1;
        }
    };

    private static final int MOST_TOKENS = 100;
    private static final int LARGEST_RANK = 64;

    /** Convex, never falling, with economies of scale: what bounds rely on. */
    private static final List<GroupTime> TIMES = List.of(
            (work, degree) -> 20 + work.tokens() / degree + 10 * (degree - 1) + work.adapters() + work.sequences(),
            (work, degree) -> Math.hypot(50, work.tokens()) / degree + 3 * degree + work.adapters(),
            (work, degree) -> Math.hypot(work.tokens(), 40 + 0.1 * work.lowRankParameters()) / Math.sqrt(degree)
                    + 0.001 * work.attentionPairs()
                    + 0.05 * work.steppedParameters());

    private final Random random;
    private final boolean splits;
    private final List<DeviceState> devices;
    private final List<LoraConfig> configs;
    private final int epochs;
    private final int[] lengths;
    private final int tokenBudget;
    private final GroupTime time;
    private final Map<Long, int[]> orders = new HashMap<>();

    private RandomCluster(Random random, boolean splits) {
        this.random = random;
        this.splits = splits;
        devices = devices();
        configs = configs();
        epochs = 1 + random.nextInt(3);
        int most = 1 + random.nextInt(MOST_TOKENS);
        lengths = random.ints(1 + random.nextInt(30), 1, 1 + most).toArray();
        tokenBudget = random.nextBoolean() ? Integer.MAX_VALUE : 50 + random.nextInt(1000);
        time = TIMES.get(random.nextInt(TIMES.size()));
    }

    /** Every trial fits device 0; the devices of a node may differ in memory. */
    static RandomCluster ofLargeDevices(long seed) {
        return new RandomCluster(new Random(seed), false);
    }

    /** The base model does not fit one device; those of a node are alike. */
    static RandomCluster ofSmallDevices(long seed) {
        return new RandomCluster(new Random(seed), true);
    }

    private List<DeviceState> devices() {
        List<DeviceState> states = new ArrayList<>();
        int nodes = 1 + random.nextInt(3);
        for (int node = 0; node < nodes; node++) {
            double speed = 0.5 + random.nextDouble();
            boolean mixed = !splits && random.nextInt(4) == 0;
            long memory = memory(node);
            int count = splits && node == 0 ? 2 + random.nextInt(5) : 1 + random.nextInt(4);
            for (int i = 0; i < count; i++) {
                boolean other = mixed && !states.isEmpty();
                states.add(new DeviceState(states.size(), other ? memory(1) : memory, node, speed));
            }
        }
        return states;
    }

    /** Room for the largest adapter and the longest sample on node 0: alone, or on two devices. */
    private long memory(int node) {
        if (splits) {
            return node == 0 ? 730 + random.nextInt(260) : 300 + random.nextInt(690);
        }
        return node == 0 ? 1400 + random.nextInt(1000) : 700 + random.nextInt(2000);
    }

    private List<LoraConfig> configs() {
        List<LoraConfig> drawn = new ArrayList<>();
        for (int i = 1 + random.nextInt(14); i > 0; i--) {
            drawn.add(LoraConfig.builder()
                    .withRank(1 + random.nextInt(LARGEST_RANK))
                    .withBatchSize(1 + random.nextInt(12))
                    .withSeed(i)
                    .build());
        }
        return drawn;
    }

    GroupTime time() {
        return time;
    }

    int epochs() {
        return epochs;
    }

    int tokenBudget() {
        return tokenBudget;
    }

    /** Lengths of an epoch's samples, in the order of a trial. */
    int[] lengths(int trial, int epoch) {
        return orders.computeIfAbsent(31L * trial + epoch, this::shuffled);
    }

    private int[] shuffled(long seed) {
        List<Integer> order = new ArrayList<>(Ints.asList(lengths));
        Collections.shuffle(order, new Random(seed));
        return Ints.toArray(order);
    }

    /** Of which nothing is done. */
    SweepProgress start() {
        return builder().build();
    }

    /** Of which each trial has done something, as after a restart. */
    SweepProgress resumed() {
        List<Long> done = configs.stream()
                .map(config -> {
                    int batches = lengths.length / config.batchSize();
                    return (long) random.nextInt(epochs) * lengths.length
                            + (long) random.nextInt(Math.max(1, batches)) * config.batchSize();
                })
                .toList();
        return builder().withSamplesDone(done).build();
    }

    private SweepProgress.Builder builder() {
        return SweepProgress.builder()
                .withConfigs(configs)
                .withDevices(devices)
                .withEpochs(epochs)
                .withLengths(this::lengths)
                .withTokenBudget(tokenBudget)
                .withMemory(MEMORY)
                .withTime(time, LoraConfig::rank);
    }

    /** Noise, a straggler, trials that end early, devices that fail; enough is left to go on. */
    Disturbances disturbances() {
        Disturbances.Builder disturbances = Disturbances.builder()
                .withSeed(random.nextLong())
                .withNoise(random.nextDouble() * 0.4)
                .withStraggler(random.nextInt(devices.size()), 1 + random.nextDouble());
        IntStream.range(0, configs.size())
                .filter(trial -> random.nextInt(3) == 0)
                .forEach(trial -> disturbances.withStop(
                        trial,
                        0.01 + 0.98 * random.nextDouble(),
                        random.nextBoolean() ? EndReason.STOPPED_EARLY : EndReason.FAILED));
        for (DeviceState device : devices) {
            boolean needed = splits ? device.node() == 0 : device.index() == 0;
            if (!needed && random.nextInt(5) == 0) {
                disturbances.withDeviceFailure(device.index(), random.nextInt(5000));
            }
        }
        return disturbances.build();
    }
}
