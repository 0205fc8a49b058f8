package io.plora.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DataOrderTest {

    @Test
    void anEpochVisitsEachSampleOnce() {
        for (int samples : new int[] {1, 2, 3, 100, 1001}) {
            for (int epoch = 0; epoch < 5; epoch++) {
                assertThat(new DataOrder(7, samples).epoch(epoch))
                        .containsExactlyInAnyOrder(IntStream.range(0, samples).toArray());
            }
        }
    }

    @Test
    void theOrderDependsOnNothingButSeedEpochAndNumberOfSamples() {
        DataOrder order = new DataOrder(7, 10);
        int[] third = order.epoch(3);
        order.epoch(0);

        assertThat(order.epoch(3)).isEqualTo(third);
        assertThat(new DataOrder(7, 10).epoch(3)).isEqualTo(third);
    }

    @Test
    void theOrderIsTheSameInEveryVersion() {
        assertThat(new DataOrder(7, 10).epoch(0)).containsExactly(0);
    }

    @Test
    void seedsAndEpochsHaveOrdersOfTheirOwn() {
        Set<String> orders = new HashSet<>();
        for (int seed = 0; seed < 20; seed++) {
            for (int epoch = 0; epoch < 20; epoch++) {
                orders.add(java.util.Arrays.toString(new DataOrder(seed, 50).epoch(epoch)));
            }
        }

        assertThat(orders).hasSize(400);
    }

    @Test
    void eachSampleIsEquallyLikelyAtEachPlace() {
        int samples = 6;
        int epochs = 6000;
        int[][] counts = new int[samples][samples];
        for (int epoch = 0; epoch < epochs; epoch++) {
            int[] order = new DataOrder(1, samples).epoch(epoch);
            for (int place = 0; place < samples; place++) {
                counts[place][order[place]]++;
            }
        }

        // expected 1000 each, standard deviation 29
        assertThat(counts)
                .allSatisfy(row ->
                        assertThat(row).allSatisfy(count -> assertThat(count).isBetween(880, 1120)));
    }

    @Test
    void noSamplesAreRefused() {
        assertThatThrownBy(() -> new DataOrder(7, 0)).hasMessageContaining("samples (0)");
    }
}
