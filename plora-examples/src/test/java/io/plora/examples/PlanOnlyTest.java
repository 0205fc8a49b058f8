package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.plan.ContinuousPacking;
import io.plora.plan.MinGpu;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepPlan.Baseline;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class PlanOnlyTest {
    @TempDir
    private Path folder;

    @Test
    void packingTakesFewerPassesOverTheSameTokens() {
        SweepPlan packed = PlanOnly.plan(new ContinuousPacking());
        SweepPlan alone = PlanOnly.plan(new MinGpu());
        assertThat(packed.groups()).hasSize(1);
        assertThat(alone.groups())
                .allSatisfy(group -> assertThat(group.members()).hasSize(1));
        assertThat(packed.tokens()).isEqualTo(alone.tokens());
        assertThat(packed.iterations()).isLessThan(alone.iterations() / 4);
        assertThat(packed.makespan()).isLessThan(alone.makespan());
        assertThat(packed.baseline()).isEqualTo(new Baseline("min GPU", alone.makespan()));
    }

    @Test
    void drawsAChartAndStartsNoSweep() {
        Path svg = folder.resolve("plan.svg");
        Path png = folder.resolve("plan.png");
        assertThat(new CommandLine(new PlanOnly()).execute("--chart", svg.toString()))
                .isZero();
        assertThat(new CommandLine(new PlanOnly()).execute("--chart", png.toString()))
                .isZero();
        assertThat(svg)
                .content()
                .contains("continuous packing: ")
                .contains("; min GPU ")
                .contains("min GPU: ");
        assertThat(png).isNotEmptyFile();
        assertThat(Path.of("sweep-planned")).doesNotExist();
    }
}
