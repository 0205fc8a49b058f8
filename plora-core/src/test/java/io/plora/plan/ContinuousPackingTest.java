package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.cost.DeviceSpec;
import io.plora.cost.GroupMemory;
import io.plora.cost.GroupTime;
import io.plora.cost.MemoryModel;
import io.plora.cost.ModelShapes;
import io.plora.cost.RooflineTime;
import io.plora.model.ModelConfig;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.OpenGroup;
import io.plora.plan.SweepPlan.GroupPlan;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ContinuousPackingTest {
    private static final int[] LENGTHS = {10, 10, 10, 10, 10, 10, 10, 10};

    /** An iteration costs as much as 100 tokens beside its own, so that large ones are worth it. */
    private static SweepProgress.Builder small(List<LoraConfig> configs, long memoryBytes) {
        return sweep(configs, LENGTHS, 1000, memoryBytes)
                .withTime((work, degree) -> 100 + work.tokens() / degree, config -> 0);
    }

    @Test
    void chainsDecideHowLargeIterationsAre() {
        // 24 samples in the 8 iterations that trial 1 needs: 3 each, the longest chain first
        Decision decision = new ContinuousPacking()
                .decide(small(List.of(config(8, 8), config(8, 1), config(8, 4)), 2000)
                        .build()
                        .state());

        assertThat(decision.actions())
                .startsWith(new OpenGroup(0, List.of(0)))
                .contains(new Join(0, 0), new Join(0, 1), new Join(0, 2))
                .last()
                .isInstanceOfSatisfying(
                        Iterate.class, iterate -> assertThat(iterate.samples()).containsEntry(1, 1));
    }

    @Test
    void decisionIsAFunctionOfTheState() {
        SweepState state = small(List.of(config(8, 8), config(8, 1), config(8, 4)), 2000)
                .build()
                .state();

        assertThat(new ContinuousPacking().decide(state)).isEqualTo(new ContinuousPacking().decide(state));
    }

    @Test
    void loneTrialTakesItsWholeBatchUntilItEnds() {
        SweepPlan plan = PlanSimulator.simulate(
                new ContinuousPacking(), small(List.of(config(8, 4)), 2000).build());

        assertThat(plan.decisions())
                .singleElement()
                .satisfies(decision ->
                        assertThat(decision.actions()).contains(new Iterate(0, new TreeMap<>(Map.of(0, 4)), 2, true)));
        assertThat(plan.makespan()).isEqualTo(2 * (100 + 40));
        assertThat(plan.gap()).isZero();
    }

    @Test
    void waitingTrialTakesThePlaceOfOneThatEnds() {
        // 1000 for the base and 10 for a sample leave room for 60 of 3 x 40
        SweepPlan plan = PlanSimulator.simulate(
                new ContinuousPacking(),
                small(List.of(config(40, 1), config(40, 1), config(40, 1)), 1070)
                        .build());

        assertThat(plan.groups())
                .singleElement()
                .satisfies(group -> assertThat(group.members()).hasSize(3))
                .satisfies(group -> assertThat(group.largestMemory()).isLessThanOrEqualTo(1070));
        assertThat(plan.makespan()).isEqualTo(3 * 8 * 110.0);
    }

    @Test
    void modelThatNeedsTwoDevicesGetsThem() {
        SweepPlan plan =
                PlanSimulator.simulate(new ContinuousPacking(), split(List.of(config(8, 1), config(8, 2)), 4, 700));

        assertThat(plan.groups())
                .extracting(GroupPlan::devices)
                .allSatisfy(devices -> assertThat(devices).hasSizeGreaterThan(1));
    }

    @Test
    void trialsThatNeedFewDevicesDoNotJoinGroupsThatCostThemMore() {
        // rank 256 needs two devices; communication makes an iteration on two dearer than two iterations on one
        SweepPlan plan = PlanSimulator.simulate(
                new ContinuousPacking(),
                dear(List.of(config(256, 1), config(8, 1), config(8, 2), config(8, 2), config(8, 1), config(8, 4))));

        assertThat(plan.groups())
                .filteredOn(group -> group.devices().size() == 2)
                .singleElement()
                .satisfies(group -> assertThat(group.members()).hasSize(1));
    }

    private static SweepProgress dear(List<LoraConfig> configs) {
        return split(configs, 2, 1250, (work, degree) -> 20 + degree * degree * work.tokens());
    }

    @Test
    void shortSweepUsesAllDevicesForItsLongestChain() {
        SweepPlan plan = PlanSimulator.simulate(new ContinuousPacking(), split(List.of(config(8, 8)), 4, 5000));

        assertThat(plan.groups())
                .singleElement()
                .satisfies(group -> assertThat(group.devices()).hasSize(4));
    }

    @Test
    void modelThatFitsNoDeviceSaysWhatItNeeds() {
        SweepProgress sweep = split(List.of(config(8, 1)), 2, 400);

        assertThatThrownBy(() -> sweep.decide(new ContinuousPacking()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(
                        "base model needs (500 bytes) on each of (2) devices; the largest device has (400 bytes)");
    }

    @Test
    void configurationThatExceedsMemoryAloneIsNamed() {
        LoraConfig large = config(256, 1);
        SweepProgress sweep = split(List.of(config(8, 1), large), 2, 600);

        assertThatThrownBy(() -> sweep.decide(new ContinuousPacking()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Configuration (" + large.id() + ") needs (638 bytes) even alone")
                .hasMessageContaining("on each of (2) devices; the largest device has (600 bytes)");
    }

    /** Base and adapters are split over the devices of one node. */
    private static SweepProgress split(List<LoraConfig> configs, int devices, long memoryBytes) {
        return split(configs, devices, memoryBytes, (work, degree) -> 20 + work.tokens() / degree);
    }

    private static SweepProgress split(List<LoraConfig> configs, int devices, long memoryBytes, GroupTime time) {
        GroupMemory memory = new GroupMemory() {
            @Override
            public long baseBytes(int degree) {
                return 1000 / degree;
            }

            @Override
            public long adapterBytes(LoraConfig config, int degree) {
                return config.rank() / degree;
            }

            @Override
            public long tokenBytes(LoraConfig config, int degree) {
                return 1;
            }
        };
        return sweep(configs, LENGTHS, 1000, memoryBytes)
                .withMemory(memory)
                .withTime(time, config -> 0)
                .withDevices(IntStream.range(0, devices)
                        .mapToObj(device -> new DeviceState(device, memoryBytes))
                        .toList())
                .build();
    }

    @ParameterizedTest
    @CsvSource({
        "Qwen2.5-7B, A100-40GB, 8, 0, 0.02",
        "Qwen2.5-14B, A100-40GB, 8, 0, 0.02",
        "Qwen2.5-7B, A10-24GB, 8, 0, 0.02",
        "Llama-3.2-3B, A100-40GB, 8, 66, 0.03",
        "Qwen2.5-7B, A10-24GB, 8, 66, 0.04",
        "Qwen2.5-32B, A100-80GB, 8, 66, 0.025",
        "Qwen2.5-7B, A10-24GB, 3, 66, 0.04",
        "Qwen2.5-7B, A100-40GB, 7, 0, 0.02"
    })
    void sweepOfThePaperIsNearItsLowerBound(String model, String device, int devices, double deviation, double gap)
            throws URISyntaxException {
        int[] lengths = deviation == 0 ? new int[7473] : lengths(deviation);
        if (deviation == 0) {
            Arrays.fill(lengths, 1024);
        }
        SweepPlan plan = PlanSimulator.simulate(
                new ContinuousPacking(), paper(model, device, devices, lengths).build());

        assertThat(plan.gap()).isBetween(0.0, gap);
    }

    private static int[] lengths(double deviation) {
        Random random = new Random(7);
        return IntStream.range(0, 7473)
                .map(i -> (int) Math.min(512, Math.max(60, 185 + deviation * random.nextGaussian())))
                .toArray();
    }

    private static SweepProgress.Builder paper(String model, String device, int devices, int[] lengths)
            throws URISyntaxException {
        ModelConfig shape = ModelShapes.of(model);
        DeviceSpec spec = DeviceSpec.of(device);
        Path csv = Path.of(Objects.requireNonNull(ContinuousPackingTest.class.getResource("paper_sweep.csv"))
                .toURI());
        return SweepProgress.builder()
                .withConfigs(SearchSpace.csv(csv).configs())
                .withLengths((trial, epoch) -> lengths)
                .withMemory(MemoryModel.onGpu(shape))
                .withTime(new RooflineTime(shape, spec), config -> MemoryModel.adapterParameters(shape, config))
                .withDevices(IntStream.range(0, devices)
                        .mapToObj(index -> new DeviceState(index, spec.usableBytes(0.95)))
                        .toList());
    }

    @Test
    void disturbedSweepTakesLittleLongerThanItsWork() throws URISyntaxException {
        int[] lengths = new int[7473];
        Arrays.fill(lengths, 1024);
        SweepProgress progress = paper("Qwen2.5-7B", "A100-40GB", 8, lengths).build();
        Random random = new Random(11);
        Disturbances.Builder disturbances = Disturbances.builder().withSeed(3).withNoise(0.2);
        double done = 0;
        double total = 0;
        for (TrialState trial : progress.state().trials()) {
            double kind = random.nextDouble();
            double fraction = 1;
            if (kind < 0.05) {
                fraction = 0.02;
                disturbances.withStop(trial.index(), fraction, EndReason.FAILED);
            } else if (kind < 0.65) {
                fraction = 0.1 + 0.6 * random.nextDouble();
                disturbances.withStop(trial.index(), fraction, EndReason.STOPPED_EARLY);
            }
            done += fraction;
            total += 1;
        }

        SweepPlan plan = PlanSimulator.simulate(new ContinuousPacking(), progress, disturbances.build());

        // the bound of what was really trained: nobody who knew could be faster but for the noise, which averages 2%
        assertThat(plan.makespan() / (plan.bound().work() * done / total)).isBetween(0.95, 1.1);
    }
}
