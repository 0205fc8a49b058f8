package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.GroupTime;
import io.plora.plan.jobs.OptimalPacking;
import io.plora.plan.jobs.OptimalPacking.Optimum;
import io.plora.plan.jobs.OptimalPacking.PackedTrial;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Policies and the lower bound against the optimum of small instances on one device. */
class OptimalityTest {
    private static final GroupTime TIME =
            (work, degree) -> 1 + Math.hypot(work.tokens() / 50, 2) + work.adapters() / 10;
    private static final int SAMPLES = 64;
    private static final int TOKENS = 20;

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7})
    void optimumLiesBetweenTheLowerBoundAndEveryPolicy(int seed) {
        Random random = new Random(seed);
        int[] lengths = new int[SAMPLES];
        Arrays.fill(lengths, TOKENS);
        List<LoraConfig> configs = new ArrayList<>();
        List<PackedTrial> trials = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            LoraConfig config = Sweeps.config(8 << random.nextInt(5), 1 << random.nextInt(4));
            configs.add(config);
            trials.add(new PackedTrial(config.batchSize(), SAMPLES, config.rank(), TOKENS, config.rank(), TOKENS));
        }
        long memory = 160 + random.nextInt(400);
        Optimum optimum = OptimalPacking.of(trials, memory, TIME, 1);

        for (PackingPolicy policy :
                List.of(new ContinuousPacking(), new DtmPacking(), new MinGpu(), new GreedyPacking())) {
            SweepPlan plan = PlanSimulator.simulate(
                    policy,
                    Sweeps.sweep(configs, lengths, Integer.MAX_VALUE, 1000 + memory)
                            .withTime(TIME, LoraConfig::rank)
                            .build());

            assertThat(plan.bound().seconds()).isLessThanOrEqualTo(optimum.least() * (1 + 1e-9));
            assertThat(plan.makespan()).isGreaterThanOrEqualTo(optimum.least() * (1 - 1e-9));
        }
    }
}
