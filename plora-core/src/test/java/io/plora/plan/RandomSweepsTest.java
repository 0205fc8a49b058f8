package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.GroupMemory;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What every policy promises, over random clusters and spaces, with failures, stragglers, noise and early stops. */
class RandomSweepsTest {
    private static final int SWEEPS = 1000;

    /** A base model of 1000 bytes split over the devices, 4 bytes a rank, 1 for a token. */
    private static final GroupMemory MEMORY = new GroupMemory() {
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

    private final Random random = new Random(1);

    @Test
    void promisesHoldWhateverTheClusterAndTheSpace() {
        for (int sweep = 0; sweep < SWEEPS; sweep++) {
            List<DeviceState> devices = devices();
            int[] lengths = random.ints(1 + random.nextInt(30), 1, 100).toArray();
            SweepProgress progress = SweepProgress.builder()
                    .withConfigs(configs())
                    .withDevices(devices)
                    .withEpochs(1 + random.nextInt(2))
                    .withLengths((trial, epoch) -> lengths)
                    .withMemory(MEMORY)
                    .withTime(
                            (work, degree) -> 20
                                    + work.tokens() / degree
                                    + 10 * (degree - 1)
                                    + work.adapters()
                                    + work.sequences(),
                            config -> config.rank())
                    .build();
            Promises promises = new Promises(progress.state(), lengths);
            progress.observe(promises);

            Disturbances disturbances = disturbances(progress.state(), devices);
            SweepPlan plan = PlanSimulator.simulate(new ContinuousPacking(), progress, disturbances);

            promises.checkEnd();
            assertThat(plan.groups())
                    .allSatisfy(group -> assertThat(group.end()).isLessThanOrEqualTo(plan.makespan()));
        }
    }

    @Test
    void noPlanIsBelowTheLowerBound() {
        for (int sweep = 0; sweep < SWEEPS / 4; sweep++) {
            int[] lengths = random.ints(1 + random.nextInt(30), 1, 100).toArray();
            SweepProgress progress = SweepProgress.builder()
                    .withConfigs(configs())
                    .withDevices(devices())
                    .withLengths((trial, epoch) -> lengths)
                    .withMemory(MEMORY)
                    .withTime(
                            (work, degree) -> Math.hypot(50, work.tokens()) / degree + 3 * degree + work.adapters(),
                            config -> config.rank())
                    .build();

            SweepPlan plan = PlanSimulator.simulate(new ContinuousPacking(), progress);

            assertThat(plan.makespan()).isGreaterThanOrEqualTo(plan.bound().seconds() * (1 - 1e-6));
        }
    }

    private List<LoraConfig> configs() {
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 1 + random.nextInt(14); i > 0; i--) {
            configs.add(LoraConfig.builder()
                    .withRank(1 + random.nextInt(64))
                    .withBatchSize(1 + random.nextInt(12))
                    .withSeed(i)
                    .build());
        }
        return configs;
    }

    /** One to three nodes; the first has memory for everything, so that failures elsewhere leave a way. */
    private List<DeviceState> devices() {
        List<DeviceState> devices = new ArrayList<>();
        int nodes = 1 + random.nextInt(3);
        for (int node = 0; node < nodes; node++) {
            long memory = node == 0 ? 1400 + random.nextInt(1000) : 700 + random.nextInt(2000);
            double speed = 0.5 + random.nextDouble();
            for (int i = 1 + random.nextInt(4); i > 0; i--) {
                devices.add(new DeviceState(devices.size(), memory, node, speed));
            }
        }
        return devices;
    }

    private Disturbances disturbances(SweepState state, List<DeviceState> devices) {
        Disturbances.Builder disturbances = Disturbances.builder()
                .withSeed(random.nextLong())
                .withNoise(random.nextDouble() * 0.4)
                .withStraggler(random.nextInt(devices.size()), 1 + random.nextDouble());
        for (TrialState trial : state.trials()) {
            if (random.nextInt(3) == 0) {
                disturbances.withStop(
                        trial.index(),
                        0.01 + 0.98 * random.nextDouble(),
                        random.nextBoolean() ? EndReason.STOPPED_EARLY : EndReason.FAILED);
            }
        }
        for (DeviceState device : devices) {
            if (device.index() > 0 && random.nextInt(5) == 0) {
                disturbances.withDeviceFailure(device.index(), random.nextInt(5000));
            }
        }
        return disturbances.build();
    }

    /** Checks with arithmetic of its own. */
    private static final class Promises implements SweepObserver {
        private final SweepState state;
        private final int[] lengths;
        private final Map<Integer, Long> done = new HashMap<>();
        private final Map<Integer, EndReason> ended = new HashMap<>();
        private final Map<Integer, List<Integer>> devicesOfGroup = new HashMap<>();

        Promises(SweepState state, int[] lengths) {
            this.state = state;
            this.lengths = lengths;
        }

        @Override
        public void decided(Decision decision, SweepState after) {
            for (Action action : decision.actions()) {
                if (action instanceof Action.CloseGroup) {
                    devicesOfGroup.remove(action.group());
                }
            }
            for (Action action : decision.actions()) {
                if (action instanceof Action.OpenGroup open) {
                    devicesOfGroup.put(open.group(), open.devices());
                } else if (action instanceof Action.Iterate iterate) {
                    checkMemory(iterate);
                }
            }
            List<Integer> used =
                    devicesOfGroup.values().stream().flatMap(List::stream).toList();
            assertThat(used).as("no device twice").doesNotHaveDuplicates();
        }

        private void checkMemory(Action.Iterate iterate) {
            GroupState group = state.group(iterate.group());
            int degree = group.devices().size();
            long members = group.members().stream()
                    .mapToLong(member -> MEMORY.adapterBytes(state.trial(member).config(), degree))
                    .sum();
            long limit = group.devices().stream()
                    .mapToLong(device -> state.device(device).memoryBytes())
                    .min()
                    .orElseThrow();
            Map<Integer, Integer> positions = new HashMap<>();
            iterate.samples()
                    .keySet()
                    .forEach(trial -> positions.put(trial, (int) (done.getOrDefault(trial, 0L) % lengths.length)));
            for (int i = 0; i < iterate.repeat(); i++) {
                long tokens = 0;
                for (Map.Entry<Integer, Integer> entry : iterate.samples().entrySet()) {
                    int from = positions.get(entry.getKey());
                    int batch = state.trial(entry.getKey()).config().batchSize();
                    int to = Math.min(Math.min(lengths.length, (from / batch + 1) * batch), from + entry.getValue());
                    tokens += IntStream.range(from, to)
                            .map(sample -> lengths[sample])
                            .sum();
                    positions.put(entry.getKey(), to);
                }
                assertThat(MEMORY.baseBytes(degree) + members + tokens).isLessThanOrEqualTo(limit);
            }
        }

        @Override
        public void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples) {
            samples.forEach((trial, count) -> done.merge(trial, (long) count, Long::sum));
        }

        @Override
        public void ended(TrialState trial, EndReason reason) {
            assertThat(ended.put(trial.index(), reason)).as("ends once").isNull();
            assertThat(done.getOrDefault(trial.index(), 0L)).isEqualTo(trial.samplesDone());
        }

        @Override
        public void lost(int device) {
            devicesOfGroup.values().removeIf(devices -> devices.contains(device));
            for (TrialState trial : state.waiting()) {
                long before = done.getOrDefault(trial.index(), 0L);
                assertThat(before - trial.samplesDone())
                        .isBetween(0L, (long) trial.config().batchSize() - 1);
                done.put(trial.index(), trial.samplesDone());
            }
        }

        void checkEnd() {
            assertThat(ended).hasSize(state.trials().size());
            ended.forEach((trial, reason) -> {
                if (reason == EndReason.COMPLETED) {
                    assertThat(done).containsEntry(trial, state.trial(trial).samplesTotal());
                }
            });
        }
    }
}
