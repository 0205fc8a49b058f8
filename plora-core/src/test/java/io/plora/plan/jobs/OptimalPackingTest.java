package io.plora.plan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import io.plora.cost.GroupTime;
import io.plora.plan.jobs.OptimalPacking.Optimum;
import io.plora.plan.jobs.OptimalPacking.PackedTrial;
import java.util.List;
import org.junit.jupiter.api.Test;

class OptimalPackingTest {
    private static final GroupTime TIME = (work, degree) -> 10 + work.tokens();

    private static PackedTrial trial(int batchSize) {
        return new PackedTrial(batchSize, 4, 100, 5, 50, 1);
    }

    @Test
    void batchIsSpreadOverTheIterationsOfALongerChain() {
        Optimum optimum = OptimalPacking.of(List.of(trial(1), trial(4)), 1000, TIME, 1);

        // four iterations, whatever the second trial does in them
        assertThat(optimum.least()).isCloseTo(4 * 10 + 8 * 5, within(1e-6));
        assertThat(optimum.reachable()).isCloseTo(4 * 10 + 8 * 5, within(1e-6));
    }

    @Test
    void trialsThatDoNotFitTogetherFollowOneAnother() {
        Optimum optimum = OptimalPacking.of(List.of(trial(1), trial(4)), 60, TIME, 1);

        assertThat(optimum.least()).isCloseTo((4 + 1) * 10 + 8 * 5, within(1e-6));
    }

    @Test
    void memoryMaySplitABatch() {
        Optimum optimum = OptimalPacking.of(List.of(trial(4)), 53, TIME, 1);

        // parts of 3 and 1, or of 2; two thirds of an iteration less if parts need not make up batches
        assertThat(optimum.least()).isCloseTo(10 * 4 / 3.0 + 20, within(1e-6));
        assertThat(optimum.reachable()).isCloseTo(40, within(1e-6));
    }

    @Test
    void badTrialsAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> trial(3)).withMessageContaining("Batch size (3)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> OptimalPacking.of(List.of(trial(1)), 10, TIME, 1))
                .withMessageContaining("does not fit into memory (10 bytes)");
        PackedTrial large = new PackedTrial(1024, 1024, 1, 1, 1, 1);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> OptimalPacking.of(List.of(large, large), 10, TIME, 1))
                .withMessageContaining("Maybe take fewer trials");
    }
}
