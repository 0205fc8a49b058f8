package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.plan.GreedyPacking;
import io.plora.plan.OneByOne;
import io.plora.plan.SweepPlan;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class PlanOnlyTest {
    @Test
    void packingTakesFewerPassesOverTheSameTokens() {
        SweepPlan packed = PlanOnly.plan(new GreedyPacking());
        SweepPlan alone = PlanOnly.plan(new OneByOne());
        assertThat(packed.groups()).hasSize(1);
        assertThat(alone.groups()).hasSize(1);
        assertThat(packed.tokens()).isEqualTo(alone.tokens());
        assertThat(packed.iterations()).isLessThan(alone.iterations() / 4);
    }

    @Test
    void nothingIsWritten() {
        PlanOnly.main(new String[0]);
        assertThat(Path.of("sweep-planned")).doesNotExist();
    }
}
