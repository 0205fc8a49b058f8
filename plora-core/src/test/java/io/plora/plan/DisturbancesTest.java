package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

class DisturbancesTest {
    private static final int[] LENGTHS = {10, 10, 10, 10};

    /** Two trials of four samples in batches of 2; an iteration takes 100 seconds and one for each token. */
    private static SweepProgress progress(int devices) {
        List<DeviceState> states = List.of(new DeviceState(0, 1100), new DeviceState(1, 1100));
        return sweep(List.of(config(8, 2), config(16, 2)), LENGTHS, 1000, 1100)
                .withDevices(states.subList(0, devices))
                .withTime((work, degree) -> 100 + work.tokens(), config -> 0)
                .build();
    }

    private static SweepPlan plan(int devices, Disturbances.Builder disturbances) {
        return PlanSimulator.simulate(new OneByOne(), progress(devices), disturbances.build());
    }

    @Test
    void withoutThemTimesAreThePredictedOnes() {
        assertThat(plan(1, Disturbances.builder()).makespan()).isEqualTo(4 * 120);
        assertThat(plan(2, Disturbances.builder()).makespan()).isEqualTo(2 * 120);
    }

    @Test
    void stragglerTakesLonger() {
        SweepPlan plan = plan(2, Disturbances.builder().withStraggler(1, 1.5));

        assertThat(plan.groups()).extracting(SweepPlan.GroupPlan::end).containsExactly(240.0, 360.0);
    }

    @Test
    void iterationsTakeWhatTheActualTimeSays() {
        SweepPlan plan = plan(1, Disturbances.builder().withTime((work, degree) -> 50 + 2 * work.tokens()));

        assertThat(plan.makespan()).isEqualTo(4 * 90);
        assertThat(plan.bound()).isEqualTo(plan(1, Disturbances.builder()).bound());
    }

    @Test
    void stoppedTrialLeavesItsPlace() {
        SweepPlan plan = plan(1, Disturbances.builder().withStop(0, 0.5, EndReason.STOPPED_EARLY));

        assertThat(plan.groups().get(0).members())
                .extracting(SweepPlan.MemberPlan::left)
                .containsExactly(120.0, 360.0);
    }

    @Test
    void trialsOfAFailedDeviceGoOnElsewhereFromTheirLastBatch() {
        // device 1 fails in the second step of its trial, which device 0 does again when it is free
        SweepPlan plan = plan(2, Disturbances.builder().withDeviceFailure(1, 200));

        assertThat(plan.makespan()).isEqualTo(3 * 120);
        assertThat(plan.groups().get(1).end()).isEqualTo(200);
    }

    @Test
    void sweepWithoutAnyDeviceLeftFails() {
        assertThatThrownBy(() -> plan(1, Disturbances.builder().withDeviceFailure(0, 200)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("All devices failed, the last one after (200) seconds; (2) trials have not ended.");
    }

    @Test
    void noiseIsTheSameForTheSameSeed() {
        double first =
                plan(1, Disturbances.builder().withSeed(5).withNoise(0.2)).makespan();

        assertThat(plan(1, Disturbances.builder().withSeed(5).withNoise(0.2)).makespan())
                .isEqualTo(first);
        assertThat(plan(1, Disturbances.builder().withSeed(6).withNoise(0.2)).makespan())
                .isNotEqualTo(first);
        assertThat(first).isCloseTo(480, within(240.0));
    }

    @Test
    void badValuesAreRefused() {
        assertThatThrownBy(() -> Disturbances.builder().withNoise(-1)).hasMessageContaining("Noise (-1.0)");
        assertThatThrownBy(() -> Disturbances.builder().withStraggler(0, 0.5)).hasMessageContaining("Slowdown (0.5)");
        assertThatThrownBy(() -> Disturbances.builder().withDeviceFailure(0, -1))
                .hasMessageContaining("cannot fail before the start");
        assertThatThrownBy(() -> Disturbances.builder().withStop(0, 1, EndReason.FAILED))
                .hasMessageContaining("Fraction (1.0)");
        assertThatThrownBy(() -> Disturbances.builder().withStop(0, 0.5, EndReason.COMPLETED))
                .hasMessageContaining("(COMPLETED)");
    }
}
