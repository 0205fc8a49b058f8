package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class DegreesTest {
    /** A node of devices of 9, 3 and 7 kB, and one of two of 5 kB. */
    private final SweepState state = sweep(List.of(config(8, 1)), new int[] {10}, 100, 5000)
            .withDevices(List.of(
                    new DeviceState(0, 9000, 0, 1),
                    new DeviceState(1, 3000, 0, 1),
                    new DeviceState(2, 7000, 0, 1),
                    new DeviceState(3, 5000, 1, 1),
                    new DeviceState(4, 5000, 1, 1)))
            .build()
            .state();

    @Test
    void degreesArePowersOfTwoUpToTheLargestNode() {
        assertThat(Degrees.of(state)).containsExactly(1, 2);
    }

    @Test
    void smallestDeviceOfTheBestGroupCounts() {
        assertThat(Degrees.largestMemory(state, 1)).isEqualTo(9000);
        assertThat(Degrees.largestMemory(state, 2)).isEqualTo(7000);
        assertThat(Degrees.largestMemory(state, 4)).isZero();
    }
}
