package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.plora.kernels.Twin.Pair;
import io.plora.kernels.cuda.CudaKernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Passes that are recorded and replayed, against the same ones operation by operation. */
@Tag("gpu")
class CudaRecordingTest extends TwinTest {
    private static final int VOCABULARY = 304;
    private static final int ROUNDS = 5;
    private static final int MANY = 12; // backward passes, which take more than one graph

    @BeforeAll
    static void needsAGpu() {
        Gpu.assumeAvailable();
    }

    @Override
    Kernels kernels() {
        return Gpu.kernels();
    }

    @Override
    double tolerance() {
        return 2e-2;
    }

    /** A group and its memory, for batches of any shape. */
    private final class Group {
        final CudaKernels kernels = (CudaKernels) twin.tested();
        final AttentionShape shape = attentionShape();
        final RandomAdapters adapters = new RandomAdapters(
                twin,
                random,
                3,
                shape.outputSize(),
                random.nextBoolean(),
                shape.outputSize(),
                shape.kvHeads() * shape.headSize(),
                shape.kvHeads() * shape.headSize());
        final LoraTable table = adapters.table(kernels);
        final PackedProjection projection = adapters.projection(kernels);
        final Pair embedding = twin.frozen(1, VOCABULARY, shape.outputSize());
        final Pair norm = twin.frozen(1, shape.outputSize());
        final Tensor rotations = twin.parameter(1, 64, shape.headSize()).tested();
        final Tensor hidden = activation(shape.outputSize());
        final Tensor residual = activation(shape.outputSize());
        final Tensor normed = activation(shape.outputSize());
        final Tensor inverseRms = kernels.allocate(DType.F32, 512);
        final Tensor lowRank = kernels.allocate(DType.BF16, 512, 3 * 64);
        final Tensor qkv = activation(shape.qkvSize());
        final Tensor attention = activation(shape.outputSize());
        final Tensor logSumExp = kernels.allocate(DType.F32, 512, shape.heads());
        final Tensor losses = kernels.allocate(DType.F32, 512);
        final Tensor dAttention = activation(shape.outputSize());
        final Tensor dQkv = activation(shape.qkvSize());
        final Tensor dHidden = activation(shape.outputSize());

        private Tensor activation(int width) {
            return kernels.allocate(DType.BF16, 512, width);
        }

        /** What a batch leaves behind. */
        List<float[]> results(PackedBatch batch) {
            kernels.repeatable("forward", batch, () -> forward(batch));
            kernels.repeatable("backward", batch, () -> backward(batch));
            List<float[]> results = new ArrayList<>();
            for (Tensor tensor : List.of(attention, losses, dAttention, dQkv, dHidden, residual)) {
                results.add(kernels.floats(tensor.rows(0, batch.rows())));
            }
            results.addAll(gradients());
            return results;
        }

        List<float[]> gradients() {
            List<float[]> gradients = new ArrayList<>();
            for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
                for (RandomAdapters.Term term : adapters.terms(adapter)) {
                    gradients.add(kernels.floats(term.gradientA().tested()));
                    gradients.add(kernels.floats(term.gradientB().tested()));
                }
            }
            return gradients;
        }

        private void forward(PackedBatch batch) {
            kernels.embed(embedding.tested(), batch, hidden);
            kernels.rmsNorm(hidden, norm.tested(), 1e-6, batch, normed, inverseRms);
            kernels.project(projection, table, batch, normed, lowRank, null, qkv);
            kernels.rotary(shape, rotations, batch, qkv, false);
            kernels.attention(shape, batch, qkv, attention, logSumExp);
            kernels.crossEntropy(attention, embedding.tested(), batch, losses, dAttention);
        }

        private void backward(PackedBatch batch) {
            kernels.zero(residual.rows(0, batch.rows()));
            kernels.attentionBackward(shape, batch, qkv, attention, logSumExp, dAttention, dQkv);
            kernels.rotary(shape, rotations, batch, dQkv, true);
            kernels.projectBackward(projection, table, batch, normed, lowRank, dQkv, dHidden);
            kernels.rmsNormBackward(hidden, norm.tested(), inverseRms, dHidden, batch, residual);
        }

        /** @param beforeLast runs before the last passes */
        void backwardMany(PackedBatch batch, Runnable beforeLast) {
            for (int i = 0; i < MANY; i++) {
                if (i == MANY - 2) {
                    beforeLast.run();
                }
                backward(batch);
            }
        }

        /** All that has a row for each of a batch, and rows behind. */
        void fill(float value) {
            for (Tensor tensor : List.of(hidden, residual, normed, qkv, attention, dAttention, dQkv, dHidden)) {
                float[] values = new float[(int) tensor.size()];
                Arrays.fill(values, value);
                kernels.write(tensor, values);
            }
        }

        void clearGradients() {
            for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
                for (RandomAdapters.Term term : adapters.terms(adapter)) {
                    kernels.zero(term.gradientA().tested());
                    kernels.zero(term.gradientB().tested());
                }
            }
        }
    }

    /** Batches of two shapes by turns, with other rows each time. */
    private List<PackedBatch> rounds() {
        boolean dropout = random.nextBoolean();
        int[][][] shapes = new int[2][3][];
        for (int[][] lengths : shapes) {
            for (int adapter = 0; adapter < lengths.length; adapter++) {
                lengths[adapter] = random.ints(1 + random.nextInt(3), 1, 50).toArray();
            }
        }
        List<PackedBatch> rounds = new ArrayList<>();
        for (int round = 0; round < ROUNDS; round++) {
            for (int[][] lengths : shapes) {
                rounds.add(new RandomBatches(random)
                        .withVocabulary(VOCABULARY)
                        .withEveryTarget() // passes with as many targets are alike
                        .withDropout(dropout)
                        .ofLengths(lengths));
            }
        }
        return rounds;
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void replaysGiveTheBitsOfTheSameOperationsOneByOne(long seed) {
        start(seed);
        Group group = new Group();
        List<PackedBatch> rounds = rounds();
        group.clearGradients();
        group.kernels.setRecording(false);
        List<List<float[]>> plain = rounds.stream().map(group::results).toList();
        group.clearGradients();
        group.kernels.setRecording(true);

        List<List<float[]>> recorded = rounds.stream().map(group::results).toList();

        assertThat(group.kernels.replayedPasses()).isPositive();
        for (int round = 0; round < rounds.size(); round++) {
            for (int i = 0; i < plain.get(round).size(); i++) {
                assertThat(Arrays.mismatch(
                                recorded.get(round).get(i), plain.get(round).get(i)))
                        .as("first different element of result %d of round %d", i, round)
                        .isEqualTo(-1);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void replaysGoOnAfterMemoryHasMoved(long seed) {
        start(seed);
        Group group = new Group();
        List<PackedBatch> rounds = rounds();
        group.clearGradients();
        List<List<float[]>> before = rounds.stream().map(group::results).toList();
        group.clearGradients();
        PackedBatch large = new RandomBatches(random)
                .withVocabulary(VOCABULARY)
                .ofLengths(new int[] {60, 60, 60}, new int[0], new int[] {60, 60});
        group.results(large); // workspaces grow
        group.clearGradients();
        group.kernels.release(group.kernels.allocate(DType.F32, 1000));

        int replayedBefore = group.kernels.replayedPasses();
        List<List<float[]>> after = rounds.stream().map(group::results).toList();

        assertThat(group.kernels.replayedPasses()).isGreaterThan(replayedBefore);
        assertThat(last(after)).isDeepEqualTo(last(before));
    }

    @Test
    void aShapeComesAgainAfterManyOthers() {
        start(2);
        Group group = new Group();
        RandomBatches batches = new RandomBatches(random).withVocabulary(VOCABULARY);
        PackedBatch batch = batches.ofLengths(new int[] {30}, new int[0], new int[] {5});
        float[][] before = {};
        for (int i = 0; i < 3; i++) {
            group.clearGradients();
            before = group.results(batch).toArray(before);
        }
        for (int rows = 1; rows <= 40; rows++) {
            group.results(batches.ofLengths(new int[] {rows}, new int[0], new int[] {2}));
            group.results(batches.ofLengths(new int[] {2}, new int[0], new int[] {rows}));
        }
        for (int i = 0; i < 3; i++) {
            group.clearGradients();
            assertThat(group.results(batch).toArray(new float[0][])).isDeepEqualTo(before);
        }
    }

    @Test
    void aRecordingThatFailsHalfwayIsFinishedOperationByOperation() {
        start(3);
        Group group = new Group();
        PackedBatch batch = new RandomBatches(random)
                .withVocabulary(VOCABULARY)
                .ofLengths(new int[] {30}, new int[] {7}, new int[] {5});
        group.kernels.setRecording(false);
        group.clearGradients();
        group.results(batch);
        group.clearGradients();
        group.backwardMany(batch, () -> {});
        float[][] expected = group.gradients().toArray(new float[0][]);
        group.kernels.setRecording(true);
        group.kernels.repeatable("many", batch, () -> group.backwardMany(batch, () -> {}));
        group.clearGradients();
        AtomicInteger failures = new AtomicInteger();

        group.kernels.repeatable(
                "many",
                batch,
                () -> group.backwardMany(batch, () -> {
                    if (failures.getAndIncrement() == 0) {
                        throw new IllegalStateException("This is not recorded.");
                    }
                }));

        assertThat(failures).hasValue(2);
        assertThat(group.gradients().toArray(new float[0][])).isDeepEqualTo(expected);
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void whatLiesBehindABatchIsNobodys(long seed) {
        start(seed);
        Group group = new Group();
        group.kernels.setRecording(false);
        PackedBatch batch = rounds().get(0);
        group.clearGradients();
        List<float[]> beforeZeros = group.results(batch);
        group.clearGradients();
        group.fill(Float.NaN);

        List<float[]> beforeNaN = group.results(batch);

        assertThat(batch.rows()).isLessThan(512);
        assertThat(beforeNaN.toArray(new float[0][])).isDeepEqualTo(beforeZeros.toArray(new float[0][]));
    }

    private static float[][] last(List<List<float[]>> rounds) {
        return rounds.get(rounds.size() - 1).toArray(new float[0][]);
    }

    @Test
    void aTokenOutsideTheVocabularyIsRefusedByAReplayToo() {
        start(1);
        Group group = new Group();
        int[][] lengths = {{7}, {9, 3}, {}};
        for (int i = 0; i < 3; i++) {
            group.results(new RandomBatches(random).withVocabulary(VOCABULARY).ofLengths(lengths));
        }
        PackedBatch wrong =
                new RandomBatches(random).withVocabulary(10 * VOCABULARY).ofLengths(lengths);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> group.results(wrong))
                .withMessageContaining("vocabulary (%d)", VOCABULARY);
    }
}
