package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.examples.ExampleFiles;
import io.plora.examples.benchmark.DisturbedSweep.Noise;
import io.plora.examples.benchmark.RobustnessBenchmark.Outcome;
import io.plora.examples.benchmark.RobustnessBenchmark.Setting;
import io.plora.plan.ContinuousPacking;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The paper's sweep with 20% noise, 5% failures and 60% early stops, against the same policy with knowledge of them. */
class RobustnessBenchmarkTest {
    private static final List<LoraConfig> CONFIGS =
            SearchSpace.csv(ExampleFiles.find("benchmarks/paper_sweep.csv")).configs();

    private static Setting setting(int[] samples) {
        return new Setting("Qwen2.5-7B", Cluster.of(8, DeviceSpec.A100_40GB), CONFIGS, "some", samples);
    }

    private static int[] alike() {
        int[] samples = new int[7473];
        Arrays.fill(samples, 1024);
        return samples;
    }

    private static int[] distinct() {
        return new Random(1).ints(7473, 60, 350).toArray();
    }

    @ParameterizedTest
    @EnumSource
    void policyThatKnewIsAtMostATenthFaster(Noise noise) {
        for (int seed = 0; seed < 3; seed++) {
            for (int[] samples : new int[][] {alike(), distinct()}) {
                Outcome outcome = Outcome.of(setting(samples).sweep(ActivationPolicy.KEEP_ALL, noise, seed));

                assertThat(outcome.versusKnown()).as("seed %d", seed).isBetween(0.9, 1.1);
                assertThat(outcome.known()).isGreaterThanOrEqualTo(outcome.bound() * (1 - 1e-6));
            }
        }
    }

    @Test
    void whoKnewTrainsTheSameSamples() {
        for (int[] samples : new int[][] {alike(), distinct()}) {
            DisturbedSweep sweep = setting(samples).sweep(ActivationPolicy.KEEP_ALL, Noise.ALL, 4);
            long known = sweep.known(new ContinuousPacking()).tokens();
            long all = sweep.undisturbed(new ContinuousPacking()).tokens();

            assertThat(known).isBetween((long) (0.4 * all), (long) (0.8 * all));
            // an iteration in which a trial stops may do a few samples more
            assertThat(sweep.disturbed(new ContinuousPacking()).tokens()).isBetween(known, (long) (1.01 * known));
        }
    }
}
