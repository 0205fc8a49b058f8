package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.OpenGroup;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class GreedyPackingTest {
    private static final int[] LENGTHS = {10, 10, 10, 10, 10, 10, 10, 10};

    private static List<Action> firstActions(SweepProgress.Builder sweep) {
        return new GreedyPacking().decide(sweep.build().state()).actions();
    }

    private static Iterate iterate(Map<Integer, Integer> samples) {
        return new Iterate(0, new TreeMap<>(samples));
    }

    @Test
    void everybodyJoinsAndTheBudgetIsDealtOutInTurn() {
        // 7 samples fit: one each, then one each for those whose batch is not full, longest chain first
        assertThat(firstActions(sweep(List.of(config(8, 8), config(8, 1), config(8, 4)), LENGTHS, 70, 2000)))
                .containsExactly(
                        new OpenGroup(0, List.of(0)),
                        new Join(0, 0),
                        new Join(0, 1),
                        new Join(0, 2),
                        iterate(Map.of(0, 3, 1, 1, 2, 3)));
    }

    @Test
    void longestChainJoinsFirstWhereTheTokenBudgetIsShort() {
        assertThat(firstActions(sweep(List.of(config(8, 8), config(8, 1), config(8, 4)), LENGTHS, 20, 2000)))
                .containsExactly(
                        new OpenGroup(0, List.of(0)), new Join(0, 1), new Join(0, 2), iterate(Map.of(1, 1, 2, 1)));
    }

    @Test
    void longestChainJoinsFirstWhereMemoryIsShort() {
        // base 1000; 40 and 10 tokens each; a third adapter does not fit
        assertThat(firstActions(sweep(List.of(config(40, 8), config(40, 1), config(40, 4)), LENGTHS, 1000, 1125)))
                .containsExactly(
                        new OpenGroup(0, List.of(0)), new Join(0, 1), new Join(0, 2), iterate(Map.of(1, 1, 2, 3)));
    }

    @Test
    void memoryIsKeptForTheLongestSample() {
        // both adapters and their first samples fit, but then the sample of 60 tokens could never run
        int[] lengths = {10, 60};
        assertThat(firstActions(sweep(List.of(config(40, 1), config(39, 1)), lengths, 1000, 1138)))
                .contains(new Join(0, 0))
                .doesNotContain(new Join(0, 1));
        assertThat(firstActions(sweep(List.of(config(40, 1), config(39, 1)), lengths, 1000, 1139)))
                .contains(new Join(0, 1));
    }

    @Test
    void membersWithShortChainsWaitAnIterationWhereSamplesAreTooLong() {
        SweepProgress progress = sweep(List.of(config(8, 1), config(16, 1)), new int[] {10, 60, 10}, 100, 2000)
                .build();
        progress.decide(new GreedyPacking());
        progress.finish(0, Map.of());

        assertThat(progress.decide(new GreedyPacking()).actions()).containsExactly(iterate(Map.of(0, 1)));
        progress.finish(0, Map.of());
        assertThat(progress.decide(new GreedyPacking()).actions()).containsExactly(iterate(Map.of(0, 1, 1, 1)));
    }

    @Test
    void waitingTrialTakesThePlaceOfOneThatEnded() {
        SweepProgress progress = sweep(List.of(config(40, 1), config(40, 1), config(41, 8)), LENGTHS, 20, 2000)
                .build();
        progress.decide(new GreedyPacking());
        progress.finish(0, Map.of(1, EndReason.STOPPED_EARLY));

        assertThat(progress.decide(new GreedyPacking()).actions())
                .containsExactly(new Join(0, 2), iterate(Map.of(0, 1, 2, 1)));
    }

    @Test
    void trialsSpreadOverTheDevices() {
        SweepPlan plan = PlanSimulator.simulate(
                new GreedyPacking(),
                sweep(List.of(config(8, 1), config(9, 1), config(10, 1), config(11, 1)), LENGTHS, 1000, 2000)
                        .withDevices(List.of(new DeviceState(0, 2000), new DeviceState(1, 2000)))
                        .build());

        assertThat(plan.groups())
                .hasSize(2)
                .allSatisfy(group -> assertThat(group.members()).hasSize(2));
    }

    @Test
    void trialTooLargeForOneDeviceGoesToAnother() {
        SweepPlan plan = PlanSimulator.simulate(
                new GreedyPacking(),
                sweep(List.of(config(200, 1), config(8, 1)), LENGTHS, 1000, 2000)
                        .withDevices(List.of(new DeviceState(0, 1100), new DeviceState(1, 2000)))
                        .build());

        assertThat(plan.groups().get(1).members())
                .extracting(SweepPlan.MemberPlan::trial)
                .contains(0);
    }

    @Test
    void configurationThatCannotRunAloneIsRefusedByName() {
        LoraConfig large = config(128, 1);
        SweepProgress.Builder sweep = sweep(List.of(config(8, 1), large), LENGTHS, 1000, 1100);

        for (PackingPolicy policy : List.of(new GreedyPacking(), new OneByOne())) {
            assertThatThrownBy(() -> sweep.build().decide(policy))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("Configuration (" + large.id() + ") needs (1.1 KiB) even alone")
                    .hasMessageContaining("longest sample of (10) tokens; the largest device has (1.1 KiB)");
        }
    }

    @Test
    void packingTakesFewerIterationsThanOneByOne() {
        List<LoraConfig> configs = new ArrayList<>();
        IntStream.rangeClosed(1, 16).forEach(rank -> configs.add(config(rank, 1)));
        SweepProgress.Builder sweep = sweep(configs, LENGTHS, 10_000, 5000);

        assertThat(PlanSimulator.simulate(new OneByOne(), sweep.build()).iterations())
                .isEqualTo(128);
        assertThat(PlanSimulator.simulate(new GreedyPacking(), sweep.build()).iterations())
                .isEqualTo(8);
    }
}
