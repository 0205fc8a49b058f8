package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.plora.cost.GroupMemory;
import io.plora.cost.GroupTime;
import io.plora.plan.SweepPlan.GroupPlan;
import io.plora.plan.SweepPlan.MemberPlan;
import io.plora.plan.Sweeps.RandomSweep;
import io.plora.space.LoraConfig;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** DTM, min GPU, max GPU and sequential PLoRA in the simulator. */
class StaticPoliciesTest {
    /** Ten seconds a pass and one a token, less on more devices: packing and splitting pay, within limits. */
    private static final GroupTime TIME = (work, degree) -> 10 + work.tokens() / Math.sqrt(degree);

    /** The base and adapters shared by the devices of a group. */
    private static final GroupMemory SHARED = new GroupMemory() {
        @Override
        public long baseBytes(int degree) {
            return 1000 / degree;
        }

        @Override
        public long adapterBytes(LoraConfig config, int degree) {
            return 10L * config.rank() / degree;
        }

        @Override
        public long tokenBytes(LoraConfig config, int degree) {
            return 1;
        }
    };

    private static final int[] LENGTHS = IntStream.generate(() -> 20).limit(16).toArray();

    private static List<DeviceState> devices(int count, long memory) {
        return IntStream.range(0, count)
                .mapToObj(device -> new DeviceState(device, memory))
                .toList();
    }

    private static SweepProgress.Builder shared(List<LoraConfig> configs, int devices, long memory) {
        return sweep(configs, LENGTHS, Integer.MAX_VALUE, memory)
                .withMemory(SHARED)
                .withTime(TIME, LoraConfig::rank)
                .withDevices(devices(devices, memory));
    }

    static Stream<Arguments> sweeps() {
        return LongStream.range(0, 8)
                .boxed()
                .flatMap(seed -> Stream.of(new DtmPacking(), new MinGpu(), new MaxGpu(), new SequentialPlora(TIME))
                        .map(policy -> Arguments.of(policy.name(), policy, seed)));
    }

    @ParameterizedTest(name = "{0}, sweep {2}")
    @MethodSource("sweeps")
    void jobsKeepTheirMembersAndTrainEverySample(String name, PackingPolicy policy, long seed) {
        RandomSweep sweep = Sweeps.random(seed);

        SweepPlan plan = PlanSimulator.simulate(policy, sweep.start());

        for (GroupPlan job : plan.groups()) {
            assertThat(job.members()).extracting(MemberPlan::joined).containsOnly(job.start());
        }
        assertThat(plan.groups().stream().flatMap(job -> job.members().stream()))
                .hasSize(sweep.configs().size())
                .allSatisfy(member -> assertThat(member.samples()).isEqualTo((long) sweep.samples() * sweep.epochs()));
        assertThat(PlanSimulator.simulate(policy, sweep.start()).decisions()).isEqualTo(plan.decisions());
    }

    @Test
    void dtmPacksWhatMemoryHoldsAndPredictsTheJobsDuration() {
        // 1000 + 3 x (8 x 10 + 2 x 20)
        SweepPlan plan = PlanSimulator.simulate(
                new DtmPacking(),
                shared(List.of(config(8, 2), config(8, 2), config(8, 2)), 1, 1360)
                        .build());

        assertThat(plan.groups())
                .singleElement()
                .satisfies(job -> assertThat(job.members()).hasSize(3));
        assertThat(plan.makespan()).isCloseTo(8 * (10 + 3 * 40), within(1e-9));
    }

    @Test
    void tokenBudgetLimitsAJobsMembers() {
        SweepPlan plan = PlanSimulator.simulate(
                new DtmPacking(),
                shared(List.of(config(8, 2), config(8, 2), config(8, 2)), 1, 2000)
                        .withTokenBudget(80)
                        .build());

        assertThat(plan.groups()).extracting(job -> job.members().size()).containsExactly(2, 1);
    }

    @Test
    void trialThatNeedsTwoDevicesGetsThem() {
        List<LoraConfig> configs = List.of(config(64, 1), config(8, 1));

        SweepPlan dtm = PlanSimulator.simulate(
                new DtmPacking(), shared(configs, 4, 1200).build());
        SweepPlan min =
                PlanSimulator.simulate(new MinGpu(), shared(configs, 4, 1200).build());

        assertThat(devicesOf(dtm, 0)).isGreaterThanOrEqualTo(2);
        assertThat(devicesOf(min, 0)).isEqualTo(2);
        assertThat(devicesOf(min, 1)).isEqualTo(1);
    }

    private static int devicesOf(SweepPlan plan, int trial) {
        return plan.groups().stream()
                .filter(job -> job.members().stream().anyMatch(member -> member.trial() == trial))
                .mapToInt(job -> job.devices().size())
                .sum();
    }

    @Test
    void batchThatDoesNotFitIsAccumulated() {
        // 1000 + 80 + 3 x 20 of the batch's 8
        SweepPlan plan = PlanSimulator.simulate(
                new MinGpu(), shared(List.of(config(8, 8)), 1, 1150).build());

        GroupPlan job = plan.groups().get(0);
        assertThat(job.largestIteration()).isEqualTo(60);
        assertThat(job.iterations()).isEqualTo(6);
    }

    @Test
    void maxGpuTrainsOneAfterTheOtherOnAllDevices() {
        SweepPlan plan = PlanSimulator.simulate(
                new MaxGpu(),
                shared(List.of(config(8, 1), config(8, 1)), 5, 2000).build());

        assertThat(plan.groups()).allSatisfy(job -> assertThat(job.devices()).containsExactly(0, 1, 2, 3));
        assertThat(plan.makespan()).isCloseTo(2 * 16 * (10 + 20 / 2.0), within(1e-9));
    }

    @Test
    void minGpuTrainsAsManyAtOnceAsThereAreDevices() {
        SweepPlan plan = PlanSimulator.simulate(
                new MinGpu(),
                shared(List.of(config(8, 16), config(8, 1), config(8, 4)), 2, 2000)
                        .build());

        // 16 steps of 10 + 20 beside 1 of 10 + 320 and 4 of 10 + 80
        assertThat(plan.makespan()).isCloseTo(330 + 4 * 90, within(1e-9));
    }

    @Test
    void sequentialPloraRunsTheJobsOfDtmInAnotherTime() {
        List<LoraConfig> configs = List.of(config(8, 1), config(16, 2), config(32, 4), config(64, 1));
        GroupTime looped = (work, degree) -> TIME.seconds(work, degree) + 5 * work.adapters();

        SweepPlan packed = PlanSimulator.simulate(
                new DtmPacking(), shared(configs, 1, 2000).build());
        SweepPlan sequential = PlanSimulator.simulate(
                new SequentialPlora(TIME),
                shared(configs, 1, 2000).withTime(looped, LoraConfig::rank).build());

        assertThat(members(sequential)).isEqualTo(members(packed));
        assertThat(sequential.makespan()).isGreaterThan(packed.makespan());
    }

    private static List<List<Integer>> members(SweepPlan plan) {
        return plan.groups().stream()
                .map(job -> job.members().stream().map(MemberPlan::trial).toList())
                .toList();
    }

    @Test
    void trialThatFitsNowhereIsNamed() {
        SweepProgress sweep =
                shared(List.of(config(8, 1), config(250, 1)), 2, 1200).build();

        for (PackingPolicy policy : Arrays.asList(new DtmPacking(), new MinGpu(), new MaxGpu())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> policy.decide(sweep.state()))
                    .withMessageContaining("Configuration (r250-")
                    .withMessageContaining("needs (1.7 KiB) even alone")
                    .withMessageContaining("on each of (2) devices")
                    .withMessageContaining("the largest device has (1.2 KiB)");
        }
    }

    @Test
    void trialsOfALostDeviceGoOnInAnotherJob() {
        RandomSweep sweep = Sweeps.random(4);
        Disturbances failure = Disturbances.builder().withDeviceFailure(0, 100).build();

        SweepProgress progress = SweepProgress.builder()
                .withConfigs(sweep.configs())
                .withLengths(sweep.lengths())
                .withMemory(Sweeps.SIMPLE_MEMORY)
                .withDevices(devices(2, 2000))
                .build();
        PlanSimulator.simulate(new DtmPacking(), progress, failure);

        assertThat(progress.state().isDone()).isTrue();
    }
}
