package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.OpenGroup;
import io.plora.plan.SweepPlan.GroupPlan;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class OneByOneTest {
    private static final int[] LENGTHS = {10, 20, 30, 40};

    @Test
    void firstTrialTakesItsWholeBatch() {
        SweepState state = sweep(List.of(config(8, 2), config(16, 1)), LENGTHS, 100, 2000)
                .build()
                .state();

        assertThat(new OneByOne().decide(state).actions())
                .containsExactly(
                        new OpenGroup(0, List.of(0)), new Join(0, 0), new Iterate(0, new TreeMap<>(Map.of(0, 2))));
    }

    @Test
    void batchIsSplitWhereTheTokenBudgetEnds() {
        SweepPlan plan = PlanSimulator.simulate(
                new OneByOne(), sweep(List.of(config(8, 4)), LENGTHS, 35, 2000).build());

        // 10 + 20, 30, and 40 although it exceeds the budget alone
        GroupPlan group = plan.groups().get(0);
        assertThat(group.iterations()).isEqualTo(3);
        assertThat(group.largestIteration()).isEqualTo(40);
    }

    @Test
    void trialsFollowOneAnother() {
        SweepPlan plan = PlanSimulator.simulate(
                new OneByOne(),
                sweep(List.of(config(8, 2), config(16, 1), config(32, 4)), LENGTHS, 100, 2000)
                        .build());

        GroupPlan group = plan.groups().get(0);
        assertThat(group.members())
                .extracting(SweepPlan.MemberPlan::firstIteration, SweepPlan.MemberPlan::lastIteration)
                .containsExactly(tuple(0, 1), tuple(2, 5), tuple(6, 6));
        assertThat(group.tokens()).isEqualTo(300);
        assertThat(group.largestMemory()).isEqualTo(1000 + 32 + 100);
    }

    @Test
    void everyDeviceTrainsAnotherTrialAndIsFreedWhenNoneWaits() {
        SweepPlan plan = PlanSimulator.simulate(
                new OneByOne(),
                sweep(List.of(config(8, 1), config(16, 4), config(32, 4)), LENGTHS, 100, 2000)
                        .withDevices(List.of(new DeviceState(0, 2000), new DeviceState(1, 2000)))
                        .build());

        assertThat(plan.groups()).extracting(GroupPlan::iterations).containsExactly(5, 1);
        assertThat(plan.decisions())
                .flatExtracting(Decision::actions)
                .contains(new CloseGroup(1))
                .doesNotContain(new CloseGroup(0));
    }
}
