package io.plora.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.bytedeco.javacpp.IntPointer;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The binding, by functions that need no GPU; where the library was not built they are skipped. */
class PloraTest {
    private static final Logger LOGGER = LoggerFactory.getLogger(PloraTest.class);

    @BeforeAll
    static void needsTheLibrary() {
        CudaLibrary.unavailableReason().ifPresent(reason -> {
            LOGGER.warn("Skipped: {}", reason);
            Assumptions.abort(reason);
        });
    }

    private static Plora.LoraPlan plan(int inputs, int[] adapterStarts, int[] ranks) {
        Plora.LoraPlan plan = new Plora.LoraPlan();
        try (Plora.LoraShape shape = new Plora.LoraShape();
                Plora.Device device = new Plora.Device(90, 132, 232_448);
                IntPointer starts = new IntPointer(adapterStarts);
                IntPointer from = new IntPointer(new int[] {0});
                IntPointer to = new IntPointer(new int[] {64});
                IntPointer rank = new IntPointer(ranks);
                IntPointer none = new IntPointer(new int[ranks.length])) {
            shape.adapters(ranks.length);
            shape.parts(1);
            shape.inputs(inputs);
            shape.outputs(64);
            shape.adapterStarts(starts);
            shape.partFrom(from);
            shape.partTo(to);
            shape.ranks(rank);
            shape.drops(none);
            shape.overwrites(none);
            CudaLibrary.check(Plora.makeLoraPlan(shape, device, plan, null, 0));
        }
        return plan;
    }

    @Test
    void structuresGoBothWaysAndRanksArePaddedToEight() {
        try (Plora.LoraPlan plan = plan(128, new int[] {0, 100, 100, 130}, new int[] {8, 64, 12})) {
            assertThat(plan.tiles()).isPositive();
            assertThat(plan.lowRankElements()).isEqualTo(100 * 8 + 30 * 16);
            assertThat(plan.workspaceBytes()).isPositive();
        }
    }

    @Test
    void refusalsBecomeExceptionsThatNameTheValue() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(130, new int[] {0, 10}, new int[] {8}))
                .withMessageContaining("inputs (130)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> plan(128, new int[] {0, 10}, new int[] {300}))
                .withMessageContaining("Rank (300)");
        assertThatCode(() -> CudaLibrary.check(0)).doesNotThrowAnyException();
    }
}
