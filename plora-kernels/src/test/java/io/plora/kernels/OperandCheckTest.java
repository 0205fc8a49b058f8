package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.plora.kernels.PackedProjection.Part;
import io.plora.kernels.reference.ReferenceKernels;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class OperandCheckTest {
    private static final int ROWS = 3;

    private final OperandCheck check = new OperandCheck(DType.F32, DType.F64);
    private final PackedBatch batch = new PackedBatch(
            new int[] {0, 2, 3}, new int[] {0, 2, 3}, new int[] {0, 1, 9}, new int[] {1, -1, 9}, new float[3], null);
    private final PackedProjection projection =
            new PackedProjection(frozen(5, 4), null, List.of(new Part(0, 2, 0), new Part(2, 5, 1)));

    private static Tensor frozen(long... shape) {
        return Tensor.onHost(DType.F32, shape);
    }

    private static Tensor parameter(long... shape) {
        return Tensor.onHost(DType.F64, shape);
    }

    private static void assertRefused(ThrowingCallable call, String... parts) {
        assertThatIllegalArgumentException().isThrownBy(call).withMessageContainingAll(parts);
    }

    @Test
    void moreRowsThanTheBatchAreAccepted() {
        assertThatCode(() -> check.rmsNorm(frozen(ROWS + 2, 4), frozen(4), batch, frozen(ROWS, 4), parameter(ROWS + 1)))
                .doesNotThrowAnyException();
    }

    @Test
    void fewerRowsThanTheBatchAreRefused() {
        assertRefused(
                () -> check.rmsNorm(frozen(ROWS - 1, 4), frozen(4), batch, frozen(ROWS, 4), parameter(ROWS)),
                "x (Tensor(F32[2, 4]",
                "shape (3, 4)");
    }

    @Test
    void anotherWidthOrTypeIsRefused() {
        assertRefused(
                () -> check.swiGlu(frozen(ROWS, 7), batch, frozen(ROWS, 4)), "gateUp (Tensor(F32[3, 7]", "(3, 8)");
        assertRefused(
                () -> check.rmsNorm(frozen(ROWS, 4), frozen(4), batch, frozen(ROWS, 4), frozen(ROWS)),
                "inverseRms",
                "type (F64)");
    }

    @Test
    void aTokenOrTargetOutsideTheVocabularyIsRefused() {
        assertRefused(
                () -> check.embed(frozen(9, 4), batch, frozen(ROWS, 4)), "token (9) of row (2)", "vocabulary (9)");
        assertRefused(
                () -> check.crossEntropy(frozen(ROWS, 4), frozen(9, 4), batch, parameter(ROWS), null),
                "target (9) of row (2)");
    }

    @Test
    void aSequenceLongerThanTheTableOfRotationsIsRefused() {
        AttentionShape shape = new AttentionShape(2, 1, 4);

        assertRefused(
                () -> check.rotary(shape, parameter(1, 4), batch, frozen(ROWS, 16)), "Sequence (0) has (2) tokens");
    }

    @Test
    void backwardPassesNameTheGradientThatDoesNotFit() {
        assertRefused(
                () -> check.rmsNormBackward(
                        frozen(ROWS, 4), frozen(4), parameter(ROWS), frozen(ROWS, 5), batch, frozen(ROWS, 4)),
                "dY (Tensor(F32[3, 5]");
        assertRefused(
                () -> check.swiGluBackward(frozen(ROWS, 8), frozen(ROWS - 1, 4), batch, frozen(ROWS, 8)),
                "dY (Tensor(F32[2, 4]");
        assertRefused(
                () -> check.projectBackward(
                        projection,
                        table(term(2, 4, 2, 0, true)),
                        batch,
                        frozen(ROWS, 4),
                        frozen(10),
                        frozen(ROWS, 6),
                        null),
                "dY (Tensor(F32[3, 6]");
    }

    @Test
    void anEmptyPartAndPartsOutOfOrderAreRefused() {
        for (List<Part> parts : List.of(
                List.of(new Part(0, 0, 0), new Part(0, 5, 1)),
                List.of(new Part(2, 5, 0), new Part(0, 2, 1)),
                List.of(new Part(0, 2, 0), new Part(2, 6, 1)))) {
            PackedProjection wrong = new PackedProjection(frozen(5, 4), null, parts);
            assertRefused(
                    () -> check.project(
                            wrong,
                            table(term(2, 4, 2, 0, true)),
                            batch,
                            frozen(ROWS, 4),
                            frozen(10),
                            null,
                            frozen(ROWS, 5)),
                    "within the outputs (5)");
        }
    }

    @Test
    void aCopyToAnotherSizeOrTypeIsRefused() {
        assertRefused(() -> check.copy(frozen(3), frozen(4)), "to (Tensor(F32[4]");
        assertRefused(() -> check.copy(frozen(3), parameter(3)), "to (Tensor(F64[3]");
    }

    @Test
    void termsMustFitTheirPartAndHaveGradientsForTheBackwardPass() {
        assertRefused(() -> project(term(2, 4, 3, 0, true)), "b (Tensor(F32[3, 2]", "(2, 2)");
        assertRefused(() -> project(term(2, 5, 2, 0, true)), "a (Tensor(F32[2, 5]", "(2, 4)");
        assertRefused(() -> project(term(2, 4, 2, 1, true)), "Dropout (1.0) of adapter (0)");
        assertRefused(() -> project(term(0, 4, 2, 0, true)), "rank (0) of adapter (0)");
        assertRefused(
                () -> check.projectBackward(
                        projection,
                        table(term(2, 4, 2, 0, false)),
                        batch,
                        frozen(ROWS, 4),
                        frozen(10),
                        frozen(ROWS, 5),
                        null),
                "gradientA of adapter (0) on part (0) is null");
        LoraTerm small = new LoraTerm(frozen(2, 4), frozen(2, 2), parameter(2, 4), parameter(2, 1), 1, 0);
        assertRefused(
                () -> check.projectBackward(
                        projection, table(small), batch, frozen(ROWS, 4), frozen(10), frozen(ROWS, 5), null),
                "gradientB (Tensor(F64[2, 1]");
    }

    @Test
    void tooLittleRoomForLowRankActivationsIsRefused() {
        assertRefused(
                () -> check.project(
                        projection,
                        table(term(2, 4, 2, 0, true)),
                        batch,
                        frozen(ROWS, 4),
                        frozen(3),
                        null,
                        frozen(ROWS, 5)),
                "lowRank",
                "at least (4) elements");
    }

    @Test
    void aTableOfOtherAdaptersOrPartsIsRefused() {
        assertRefused(() -> project(new LoraTable(List.of())), "The table has (0) adapters, the batch (2)");
        List<@Nullable LoraTerm> onePart = Collections.singletonList(null);
        assertRefused(() -> project(new LoraTable(List.of(onePart, onePart))), "(1) parts, the projection has (2)");
        assertRefused(() -> new LoraTable(List.of(onePart, List.of())), "terms for (1) parts, another for (0)");
    }

    @Test
    void stepsCountFromOneInTheKernelsOwnType() {
        AdapterState foreign = new AdapterState(new ReferenceKernels(), List.of());
        OperandCheck own = new OperandCheck(DType.F64, DType.F64);
        OptimizerStep step = new OptimizerStep(foreign, OptimizerStep.Rule.SGD, 1, 1, 0, 0, 0);
        assertRefused(() -> own.optimize(List.of(step)), "step (0)");
        assertRefused(() -> new OperandCheck(DType.F32, DType.F32).optimize(List.of(step)), "parameters", "type (F32)");
    }

    private void project(LoraTerm term) {
        project(table(term));
    }

    private void project(LoraTable table) {
        check.project(projection, table, batch, frozen(ROWS, 4), frozen(10), null, frozen(ROWS, 5));
    }

    /** The term for the first part of the first adapter. */
    private static LoraTable table(LoraTerm term) {
        return new LoraTable(List.of(Arrays.asList(term, null), Arrays.asList(null, null)));
    }

    private static LoraTerm term(int rank, int inputs, int outputs, double dropout, boolean gradients) {
        return new LoraTerm(
                frozen(rank, inputs),
                frozen(outputs, rank),
                gradients ? parameter(rank, inputs) : null,
                gradients ? parameter(outputs, rank) : null,
                1,
                dropout);
    }
}
