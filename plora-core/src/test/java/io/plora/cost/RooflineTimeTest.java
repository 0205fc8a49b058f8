package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RooflineTimeTest {
    private static final ModelConfig MODEL = ModelShapes.of("Qwen2.5-7B");
    private static final RooflineTime H100 = new RooflineTime(MODEL, DeviceSpec.H100_80GB);
    private static final long PARAMETERS = parameters(32);

    private static long parameters(int rank) {
        return MemoryModel.adapterParameters(
                MODEL, LoraConfig.builder().withRank(rank).build());
    }

    /** An adapter of rank 32 with samples of 64 tokens, its batch ending. */
    private static GroupWork work(int samples) {
        return GroupWork.of(PARAMETERS, samples * 64, samples, samples * 64 * 65 / 2.0, 1);
    }

    /**
     * Forward and backward products by frozen matrices in bf16 on an H100, replayed as a graph: 3584 x 3584, 3584 x
     * 18944, 18944 x 3584 in milliseconds. A layer has q, o and (by size) 2/7 of one for k and v; gate, up; down.
     */
    @ParameterizedTest
    @CsvSource({
        "256, 0.0264, 0.1330, 0.1283",
        "512, 0.0443, 0.2261, 0.2179",
        "1024, 0.0809, 0.4283, 0.4289",
        "2048, 0.1670, 0.8365, 0.8368",
        "8192, 0.6201, 3.2190, 3.2309"
    })
    void productsAreWithinNinePerCentOfMeasuredOnes(int tokens, double square, double gate, double down) {
        double layer = (2 + 2 / 7.0) * square + 2 * gate + down;
        GroupWork work = new GroupWork(tokens, 1, 0, 0, 0, 0, 0);

        assertThat(1000 * H100.parts(work, 1).products() / MODEL.layers()).isCloseTo(layer, within(0.09 * layer));
    }

    @Test
    void manyTokensAreBoundByOperationsFewByReadingTheWeights() {
        // matrices of a layer: q, o 3584^2 each, k, v 3584 x 512 each, gate, up, down 3584 x 18944 each
        double matrices = 28 * (2.0 * 3584 * 3584 + 2.0 * 3584 * 512 + 3.0 * 3584 * 18_944);
        GroupWork many = new GroupWork(100_000, 1, 0, 0, 0, 0, 0);
        GroupWork few = new GroupWork(1, 1, 0, 0, 0, 0, 0);

        assertThat(H100.parts(many, 1).products())
                .isCloseTo(100_000 * 4 * matrices / 690e12, within(0.02 * 100_000 * 4 * matrices / 690e12));
        assertThat(H100.parts(few, 1).products())
                .isCloseTo(2 * 2 * matrices / 2900e9, within(0.001 * 2 * 2 * matrices / 2900e9));
    }

    @Test
    void optimizerAttentionAndLossByHand() {
        IterationParts parts = H100.parts(new GroupWork(0, 0, 1000, 1, 0, 0, 1_000_000), 1);

        // 38 bytes a parameter, by a tenth faster than products read; 7 products of 2 x 3584 operations a pair in 28
        // layers at 0.1 x 690 TFLOP/s;
        // the output layer of 152,064 x 3584 in bf16, read twice
        assertThat(parts.optimizer()).isCloseTo(38e6 / 1.1 / 2900e9, within(1e-12));
        assertThat(parts.attention()).isCloseTo(1000 * 14.0 * 3584 * 28 / 69e12, within(1e-12));
        assertThat(parts.loss()).isCloseTo(2 * 2 * 152_064.0 * 3584 / 2900e9, within(1e-12));
        assertThat(parts.launches()).isCloseTo(0.0005 + (28 * 44 + 8) * 2e-6, within(1e-12));
        assertThat(parts.lowRank()).isZero();
        assertThat(parts.communication()).isZero();
    }

    @Test
    void tokensCostTilesInEachLayer() {
        assertThat(H100.parts(new GroupWork(1000, 0, 0, 0, 0, 0, 0), 1).attention())
                .isCloseTo(1000 * 28 * 70e-9, within(1e-12));
    }

    @Test
    void timeIsThatOfTheDeviceOrOfTheHost() {
        RooflineTime small = new RooflineTime(ModelShapes.of("Qwen2.5-0.5B"), DeviceSpec.H100_80GB);
        GroupWork few = GroupWork.of(1_000_000, 45, 9, 9 * 15, 1);
        GroupWork many = few.times(256);
        IterationParts parts = small.parts(many, 2);

        assertThat(parts.values()).hasSize(IterationParts.COUNT).doesNotContain(0);
        assertThat(small.seconds(many, 2))
                .isCloseTo(
                        Arrays.stream(parts.values(), 0, IterationParts.DEVICE).sum(), within(1e-15))
                .isGreaterThan(parts.host());
        // 44 kernels in each of 24 layers and 8 outside, 6.5 us each
        assertThat(small.seconds(few, 1)).isCloseTo(0.0015 + (24 * 44 + 8) * 6.5e-6, within(1e-12));
    }

    /** Of 512 tokens there are 64 lengths in multiples of 8, of two times 64 as many pairs, of four times 22.6 as many fours. */
    @Test
    void batchesOfWhichThereAreFewShapesAreReplayed() {
        assertThat(replays(H100, 1, 512)).isTrue();
        assertThat(replays(H100, 1, 513)).isFalse();
        assertThat(replays(H100, 2, 64)).isTrue();
        assertThat(replays(H100, 2, 65)).isFalse();
        assertThat(replays(H100, 4, 22)).isTrue();
        assertThat(replays(H100, 4, 23)).isFalse();
        assertThat(replays(H100, 5, 8)).isFalse();
    }

    /** Up to eight samples are rounded to multiples of 16: 64 lengths of 1,024 tokens, as many of eight times 26.9. */
    @Test
    void smallModelsAreReplayedMore() {
        RooflineTime small = new RooflineTime(ModelShapes.of("Qwen2.5-0.5B"), DeviceSpec.H100_80GB);

        assertThat(replays(small, 1, 1024)).isTrue();
        assertThat(replays(small, 1, 1025)).isFalse();
        assertThat(replays(small, 8, 26)).isTrue();
        assertThat(replays(small, 8, 27)).isFalse();
        assertThat(replays(small, 9, 8)).isFalse();
    }

    private static boolean replays(RooflineTime time, int sequences, int length) {
        return time.parts(new GroupWork(sequences * length, sequences, 0, 1, 0, 0, 0), 1)
                        .host()
                == 0;
    }

    @Test
    void replayedIterationsDoNotWaitForTheHost() {
        RooflineTime small = new RooflineTime(ModelShapes.of("Qwen2.5-0.5B"), DeviceSpec.H100_80GB);
        GroupWork eight = GroupWork.of(1_000_000, 80, 8, 8 * 55, 1);
        GroupWork nine = GroupWork.of(1_000_000, 80, 9, 8 * 55, 1);

        assertThat(small.parts(eight, 1).host()).isZero();
        assertThat(small.seconds(eight, 1)).isLessThan(0.6 * small.seconds(nine, 1));
        assertThat(small.bound().seconds(nine, 1)).isEqualTo(small.seconds(eight, 1));
    }

    @Test
    void packingSharesTheWeights() {
        GroupWork alone = work(1);
        GroupWork packed = alone.times(16);

        assertThat(H100.seconds(packed, 1)).isLessThan(0.6 * 16 * H100.seconds(alone, 1));
        assertThat(H100.bound().parts(packed, 1).launches())
                .isEqualTo(H100.bound().parts(alone, 1).launches());
    }

    @Test
    void accumulatingOverMicroBatchesReadsTheWeightsAgain() {
        GroupWork withoutStep = GroupWork.of(PARAMETERS, 256, 4, 4 * 64 * 65 / 2.0, 0);
        GroupWork withStep = GroupWork.of(PARAMETERS, 256, 4, 4 * 64 * 65 / 2.0, 1);

        assertThat(H100.seconds(withoutStep, 1) + H100.seconds(withStep, 1)).isGreaterThan(H100.seconds(work(8), 1));
    }

    @Test
    void higherDegreesAreFasterButNotByTheirNumber() {
        GroupWork work = work(64);

        for (int degree = 2; degree <= 32; degree *= 2) {
            double half = H100.seconds(work, degree / 2);
            assertThat(H100.seconds(work, degree)).isBetween(half / 2, degree <= 8 ? half : 1.2 * half);
        }
        assertThatThrownBy(() -> H100.seconds(work, 0)).hasMessageContaining("(0)");
    }

    @Test
    void allReducesByHand() {
        // two devices, no tokens: 4 x 28 all-reduces in the layers, 2 outside, of two hops each, and 8 x 28 gathers of
        // one
        GroupWork none = GroupWork.NONE;
        assertThat(H100.parts(none, 2).communication()).isCloseTo((2 * 114 + 224) * 1.5e-6, within(1e-12));

        // a token: 114 sums of 3584 values in bf16, as many bytes over the link
        GroupWork tokens = new GroupWork(1000, 0, 0, 0, 0, 0, 0);
        assertThat(H100.parts(tokens, 2).communication() - H100.parts(none, 2).communication())
                .isCloseTo(1000 * 114 * 3584 * 2 / 360e9, within(1e-12));

        // low-rank activations: rank 32 of 7 modules in 28 layers, forward and backward, half of them over the link
        GroupWork lowRank = new GroupWork(0, 0, 0, 1, 0, 2.0 * 1000 * PARAMETERS, 0);
        assertThat(H100.parts(lowRank, 2).communication() - H100.parts(none, 2).communication())
                .isCloseTo(1000 * 2 * 32 * 7 * 28 * 2 / 2.0 / 360e9, within(1e-12));
    }

    @Test
    void recomputationCostsTime() {
        double keepAll = H100.seconds(work(32), 1);
        double pointwise = new RooflineTime(
                        MODEL, DeviceSpec.H100_80GB, WeightFormat.PLAIN, ActivationPolicy.RECOMPUTE_POINTWISE)
                .seconds(work(32), 1);
        double layers = new RooflineTime(
                        MODEL, DeviceSpec.H100_80GB, WeightFormat.PLAIN, ActivationPolicy.KEEP_LAYER_INPUTS)
                .seconds(work(32), 1);

        assertThat(pointwise).isBetween(1.01 * keepAll, 1.1 * keepAll);
        assertThat(layers).isBetween(1.25 * keepAll, 1.5 * keepAll);
    }

    @Test
    void fourBitWeightsCostUnpacking() {
        RooflineTime packed =
                new RooflineTime(MODEL, DeviceSpec.H100_80GB, WeightFormat.NF4, ActivationPolicy.KEEP_ALL);

        assertThat(packed.seconds(work(1), 1)).isGreaterThan(1.5 * H100.seconds(work(1), 1));
        assertThat(packed.seconds(work(512), 1)).isLessThan(1.1 * H100.seconds(work(512), 1));
    }

    @Test
    void evaluationIsAForwardPass() {
        GroupWork work = GroupWork.of(PARAMETERS, 8192, 128, 128 * 64 * 65 / 2.0, 0);

        assertThat(H100.evaluationSeconds(work, 1)).isBetween(0.4 * H100.seconds(work, 1), 0.5 * H100.seconds(work, 1));
        assertThat(H100.evaluationSeconds(work, 20)).isLessThan(H100.evaluationSeconds(work, 2));
    }

    @Test
    void adaptersWithoutPackedKernelsAreStartedOneByOne() {
        GroupWork work = work(1).times(32);
        SequentialTime sequential = new SequentialTime(H100);

        // 32 adapters x 28 layers x 7 modules x 6 products x 5.7 us = 214 ms instead of the packed terms
        double loops = 32 * 28 * 7 * 6 * 5.7e-6;
        assertThat(sequential.seconds(work, 1) - H100.seconds(work, 1))
                .isCloseTo(loops - H100.parts(work, 1).lowRank(), within(1e-9));
        assertThat(new SequentialTime(H100, 0).seconds(work, 1)).isEqualTo(H100.seconds(work, 1));
        assertThatThrownBy(() -> new SequentialTime(H100, -1)).hasMessageContaining("(-1.0)");
    }
}
