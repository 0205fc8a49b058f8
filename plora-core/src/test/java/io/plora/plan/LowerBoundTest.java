package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.cost.GroupMemory;
import io.plora.cost.GroupTime;
import io.plora.plan.jobs.JobPlanner;
import io.plora.plan.jobs.OptimalSchedule;
import io.plora.plan.jobs.Workload;
import io.plora.plan.jobs.Workload.Degree;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The lower bound where trials need more devices than one, of three that a node has. */
class LowerBoundTest {
    private static final int DEVICES = 3;
    private static final long DEVICE_BYTES = 900;
    private static final GroupTime TIME =
            (work, degree) -> Math.hypot(50, work.tokens()) / degree + 3 * degree + work.adapters();

    /** Adapters of rank 64 need two devices. */
    private static final GroupMemory MEMORY = new GroupMemory() {
        @Override
        public long baseBytes(int degree) {
            return 1200 / (degree + 1);
        }

        @Override
        public long adapterBytes(LoraConfig config, int degree) {
            return 4L * config.rank() / degree;
        }

        @Override
        public long tokenBytes(LoraConfig config, int degree) {
            return 2 / degree;
        }
    };

    private static SweepState state(List<LoraConfig> configs, int devices) {
        int[] lengths = new int[32];
        Arrays.fill(lengths, 40);
        return Sweeps.sweep(configs, lengths, Integer.MAX_VALUE, DEVICE_BYTES)
                .withMemory(MEMORY)
                .withTime(TIME, LoraConfig::rank)
                .withDevices(IntStream.range(0, devices)
                        .mapToObj(device -> new DeviceState(device, DEVICE_BYTES))
                        .toList())
                .build()
                .state();
    }

    @Test
    void thirdDeviceIsOfNoUseToTrialsThatNeedTwo() {
        List<LoraConfig> configs = List.of(Sweeps.config(64, 2), Sweeps.config(64, 2), Sweeps.config(64, 2));
        double onTwo = LowerBound.of(state(configs, 2)).work();

        assertThat(LowerBound.of(state(configs, 3)).work()).isEqualTo(onTwo);
        assertThat(LowerBound.of(state(configs, 4)).work()).isLessThanOrEqualTo(onTwo / 2);
    }

    @Test
    void thirdDeviceIsOfUseToTrialsThatNeedOne() {
        List<LoraConfig> configs = List.of(Sweeps.config(64, 2), Sweeps.config(16, 2), Sweeps.config(16, 2));

        assertThat(LowerBound.of(state(configs, 3)).work())
                .isLessThan(LowerBound.of(state(configs, 2)).work());
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void noBetterThanTheShortestScheduleOfStaticJobs(long seed) {
        Random random = new Random(seed);
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            configs.add(Sweeps.config(16 << random.nextInt(3), 1 << random.nextInt(3)));
        }
        SweepState state = state(configs, DEVICES);

        Workload workload = workload(state);
        int[] ones = new int[configs.size()];
        Arrays.fill(ones, 1);
        double shortest = OptimalSchedule.plan(
                        workload, JobPlanner.plan(workload, ImmutableIntArray.copyOf(ones), DEVICES))
                .makespan();

        assertThat(LowerBound.of(state).seconds()).isBetween(0.5 * shortest, shortest);
    }

    private static Workload workload(SweepState state) {
        StaticJobs jobs = new StaticJobs(state, TIME);
        List<Degree> degrees = List.of(1, 2).stream()
                .map(degree -> new Degree(
                        degree,
                        DEVICE_BYTES - MEMORY.baseBytes(degree),
                        state.trials().stream()
                                .map(trial -> jobs.member(trial, degree, DEVICE_BYTES))
                                .toList()))
                .toList();
        return new Workload(degrees, state.tokenBudget(), TIME);
    }
}
