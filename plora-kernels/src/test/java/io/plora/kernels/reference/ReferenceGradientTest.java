package io.plora.kernels.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.plora.kernels.AttentionShape;
import io.plora.kernels.DType;
import io.plora.kernels.LoraTable;
import io.plora.kernels.LoraTerm;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.PackedProjection.Part;
import io.plora.kernels.RandomBatches;
import io.plora.kernels.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every backward pass against central differences of its forward pass, all elements, in double precision. */
class ReferenceGradientTest {
    private static final double STEP = 1e-5;
    private static final double TOLERANCE = 1e-7;

    private final ReferenceKernels kernels = new ReferenceKernels();
    private Random random = new Random();

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void rmsNormBackwardAddsTheGradient(long seed) {
        random = new Random(seed);
        PackedBatch batch = new RandomBatches(random).next();
        int hidden = 1 + random.nextInt(9);
        Tensor x = values(batch.rows(), hidden);
        Tensor weight = values(hidden);
        Tensor y = values(batch.rows(), hidden);
        Tensor dY = values(batch.rows(), hidden);
        Tensor inverseRms = values(batch.rows());
        Tensor dX = kernels.allocate(DType.F64, batch.rows(), hidden);
        dX.doubles().put(0, 5);

        kernels.rmsNorm(x, weight, 1e-3, batch, y, inverseRms);
        kernels.rmsNormBackward(x, weight, inverseRms, dY, batch, dX);

        dX.doubles().put(0, dX.doubles().get(0) - 5);
        assertGradient(x, dX, () -> {
            kernels.rmsNorm(x, weight, 1e-3, batch, y, inverseRms);
            return dot(y, dY);
        });
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void swiGluBackwardGivesTheGradient(long seed) {
        random = new Random(seed);
        PackedBatch batch = new RandomBatches(random).next();
        int features = 1 + random.nextInt(7);
        Tensor gateUp = values(batch.rows(), 2 * features);
        Tensor y = values(batch.rows(), features);
        Tensor dY = values(batch.rows(), features);
        Tensor dGateUp = values(batch.rows(), 2 * features);

        kernels.swiGluBackward(gateUp, dY, batch, dGateUp);

        assertGradient(gateUp, dGateUp, () -> {
            kernels.swiGlu(gateUp, batch, y);
            return dot(y, dY);
        });
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void rotaryInverseIsTheBackwardPass(long seed) {
        random = new Random(seed);
        PackedBatch batch = new RandomBatches(random).next();
        AttentionShape shape = shape();
        Tensor table = values(12, shape.headSize());
        Tensor x = values(batch.rows(), shape.qkvSize());
        Tensor dY = values(batch.rows(), shape.qkvSize());
        Tensor y = values(batch.rows(), shape.qkvSize());
        Tensor dX = values(batch.rows(), shape.qkvSize());

        kernels.copy(dY, dX);
        kernels.rotary(shape, table, batch, dX, true);

        assertGradient(x, dX, () -> {
            kernels.copy(x, y);
            kernels.rotary(shape, table, batch, y, false);
            return dot(y, dY);
        });
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void attentionBackwardGivesTheGradient(long seed) {
        random = new Random(seed);
        PackedBatch batch = new RandomBatches(random).withLongestSequence(7).next();
        AttentionShape shape = shape();
        Tensor qkv = values(batch.rows(), shape.qkvSize());
        Tensor y = values(batch.rows(), shape.outputSize());
        Tensor dY = values(batch.rows(), shape.outputSize());
        Tensor logSumExp = values(batch.rows(), shape.heads());
        Tensor dQkv = values(batch.rows(), shape.qkvSize());

        kernels.attention(shape, batch, qkv, y, logSumExp);
        kernels.attentionBackward(shape, batch, qkv, y, logSumExp, dY, dQkv);

        assertGradient(qkv, dQkv, () -> {
            kernels.attention(shape, batch, qkv, y, logSumExp);
            return dot(y, dY);
        });
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void crossEntropyGivesTheGradientOfTheWeightedLosses(long seed) {
        random = new Random(seed);
        PackedBatch batch = new RandomBatches(random).withVocabulary(11).next();
        Tensor x = values(batch.rows(), 5);
        Tensor weight = values(11, 5);
        Tensor losses = values(batch.rows());
        Tensor dX = values(batch.rows(), 5);

        kernels.crossEntropy(x, weight, batch, losses, dX);

        assertGradient(x, dX, () -> {
            kernels.crossEntropy(x, weight, batch, losses, null);
            double sum = 0;
            for (int row = 0; row < batch.rows(); row++) {
                sum += batch.lossWeight(row) * losses.doubles().get(row);
            }
            return sum;
        });
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void projectBackwardGivesTheGradientsOfInputAAndB(long seed) {
        random = new Random(seed);
        PackedBatch batch = new RandomBatches(random)
                .withLongestSequence(5)
                .withDropout(seed % 2 == 0)
                .next();
        PackedProjection projection = new PackedProjection(
                values(9, 6), seed % 3 == 0 ? null : values(9), List.of(new Part(0, 2, 7), new Part(2, 9, 8)));
        LoraTable adapters = adapters(projection, batch.adapters());
        Tensor x = values(batch.rows(), 6);
        Tensor y = values(batch.rows(), 9);
        Tensor dY = values(batch.rows(), 9);
        Tensor dX = values(batch.rows(), 6);
        Tensor lowRank = values(adapters.lowRankSize(batch, DType.F64));
        Loss loss = () -> {
            kernels.project(projection, adapters, batch, x, lowRank, null, y);
            return dot(y, dY);
        };

        loss.value();
        kernels.projectBackward(projection, adapters, batch, x, lowRank, dY, dX);

        assertGradient(x, dX, loss);
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            for (int part = 0; part < 2; part++) {
                LoraTerm term = adapters.term(adapter, part);
                if (term != null) {
                    assertGradient(term.a(), term.gradientA(), loss);
                    assertGradient(term.b(), term.gradientB(), loss);
                }
            }
        }
    }

    private LoraTable adapters(PackedProjection projection, int count) {
        List<List<@Nullable LoraTerm>> terms = new ArrayList<>();
        for (int adapter = 0; adapter < count; adapter++) {
            List<@Nullable LoraTerm> row = new ArrayList<>();
            for (Part part : projection.parts()) {
                row.add(random.nextInt(4) == 0 ? null : term(projection.inputs(), part.outputs()));
            }
            terms.add(row);
        }
        return new LoraTable(terms);
    }

    private LoraTerm term(int inputs, int outputs) {
        int rank = 1 + random.nextInt(4);
        return new LoraTerm(
                values(rank, inputs),
                values(outputs, rank),
                kernels.allocate(DType.F64, rank, inputs),
                kernels.allocate(DType.F64, outputs, rank),
                1.5,
                random.nextInt(3) == 0 ? 0 : 0.3);
    }

    private AttentionShape shape() {
        int kvHeads = 1 + random.nextInt(2);
        return new AttentionShape(kvHeads * (1 + random.nextInt(3)), kvHeads, 2 * (1 + random.nextInt(3)));
    }

    private Tensor values(long... shape) {
        Tensor tensor = kernels.allocate(DType.F64, shape);
        for (int i = 0; i < tensor.size(); i++) {
            tensor.doubles().put(i, random.nextGaussian());
        }
        return tensor;
    }

    private interface Loss {
        double value();
    }

    private static void assertGradient(Tensor x, @Nullable Tensor gradient, Loss loss) {
        assertThat(gradient).isNotNull();
        for (int i = 0; i < x.size(); i++) {
            double value = x.doubles().get(i);
            x.doubles().put(i, value + STEP);
            double above = loss.value();
            x.doubles().put(i, value - STEP);
            double below = loss.value();
            x.doubles().put(i, value);
            double expected = (above - below) / (2 * STEP);
            assertThat(gradient.doubles().get(i))
                    .as("element %d", i)
                    .isCloseTo(expected, within(TOLERANCE * Math.max(1, Math.abs(expected))));
        }
    }

    private static double dot(Tensor left, Tensor right) {
        double sum = 0;
        for (int i = 0; i < left.size(); i++) {
            sum += left.doubles().get(i) * right.doubles().get(i);
        }
        return sum;
    }
}
