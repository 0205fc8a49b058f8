package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.plora.kernels.AdapterState.Matrix;
import io.plora.kernels.OptimizerStep.Rule;
import io.plora.kernels.Twin.Pair;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every operation of an implementation against the reference, over random shapes.
 *
 * <p>Results that must be overwritten start as NaN, and activations have rows of NaN beyond the batch.
 */
abstract class KernelsDifferentialTest extends TwinTest {
    @ParameterizedTest
    @MethodSource("seeds")
    void embed(long seed) {
        start(seed);
        int hidden = twin.size(1 + random.nextInt(200));
        int vocabulary = 1 + random.nextInt(50);
        PackedBatch batch = batches().withVocabulary(vocabulary).next();
        Pair table = twin.frozen(1, vocabulary, hidden);
        Pair y = twin.output(batch, hidden);

        twin.run(kernels -> kernels.embed(table.in(kernels), batch, y.in(kernels)));

        twin.assertClose("y", y);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void rmsNormAndItsBackward(long seed) {
        start(seed);
        int hidden = twin.size(1 + random.nextInt(1000));
        PackedBatch batch = batches().next();
        Pair x = twin.input(batch, hidden);
        Pair weight = twin.frozen(1, hidden);
        Pair y = twin.output(batch, hidden);
        Pair inverseRms = perRow(batch);
        Pair dY = twin.input(batch, hidden);
        Pair dX = twin.input(batch, hidden);
        double epsilon = random.nextBoolean() ? 1e-6 : 0.5;

        twin.run(kernels -> {
            kernels.rmsNorm(x.in(kernels), weight.in(kernels), epsilon, batch, y.in(kernels), inverseRms.in(kernels));
            kernels.rmsNormBackward(
                    x.in(kernels), weight.in(kernels), inverseRms.in(kernels), dY.in(kernels), batch, dX.in(kernels));
        });

        twin.assertClose("y", y);
        twin.assertExact("inverseRms", inverseRms);
        twin.assertClose("dX", dX);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void projectAndItsBackward(long seed) {
        start(seed);
        compareProjection(batches()
                .withDropout(random.nextInt(3) > 0)
                .withGradientStarts(true)
                .next());
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void projectAndItsBackwardWithMoreRowsThanAPieceOfWork(long seed) {
        start(seed);
        int[][] lengths = {{300, 1, 260}, {}, {257}};
        compareProjection(batches().withDropout(seed > 0).ofLengths(lengths));
    }

    private void compareProjection(PackedBatch batch) {
        RandomAdapters adapters = adapters(batch);
        boolean accumulate = random.nextBoolean();
        Pair x = twin.input(batch, adapters.inputs());
        Pair y = accumulate ? twin.input(batch, adapters.outputs()) : twin.output(batch, adapters.outputs());
        Pair residual = accumulate && random.nextBoolean() ? y : twin.input(batch, adapters.outputs());
        Pair lowRank = lowRank(adapters, batch);
        Pair dY = twin.input(batch, adapters.outputs());
        Pair dX = random.nextInt(4) == 0 ? null : twin.output(batch, adapters.inputs());

        twin.run(kernels -> {
            PackedProjection projection = adapters.projection(kernels);
            LoraTable table = adapters.table(kernels);
            Tensor added = accumulate ? residual.in(kernels) : null;
            kernels.project(projection, table, batch, x.in(kernels), lowRank.in(kernels), added, y.in(kernels));
            kernels.projectBackward(
                    projection,
                    table,
                    batch,
                    x.in(kernels),
                    lowRank.in(kernels),
                    dY.in(kernels),
                    dX == null ? null : dX.in(kernels));
        });

        twin.assertClose("y", y);
        if (dX != null) {
            twin.assertClose("dX", dX);
        }
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            for (RandomAdapters.Term term : adapters.terms(adapter)) {
                twin.assertClose("gradientA", term.gradientA());
                twin.assertClose("gradientB", term.gradientB());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void rotaryBothWays(long seed) {
        start(seed);
        AttentionShape shape = attentionShape();
        PackedBatch batch = batches().next();
        Pair table = twin.parameter(1, 40, shape.headSize());
        Pair qkv = twin.input(batch, shape.qkvSize());
        boolean inverse = random.nextBoolean();

        twin.run(kernels -> kernels.rotary(shape, table.in(kernels), batch, qkv.in(kernels), inverse));

        twin.assertClose("qkv", qkv);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void attentionAndItsBackward(long seed) {
        start(seed);
        AttentionShape shape = attentionShape();
        PackedBatch batch = batches().next();
        compareAttention(shape, batch, twin.input(batch, shape.qkvSize()), 1);
    }

    /** Differences of scores beyond what an exponential takes; their rounding errors grow with them. */
    @ParameterizedTest
    @MethodSource("fewSeeds")
    void attentionOfLargeScoresAndItsBackward(long seed) {
        start(seed);
        AttentionShape shape = attentionShape();
        PackedBatch batch = batches().ofLengths(new int[] {30, 1, 20}, new int[] {17});
        Pair qkv = twin.frozen(7, batch.rows(), shape.qkvSize());
        compareAttention(shape, batch, qkv, 30);
    }

    @ParameterizedTest
    @MethodSource("fewSeeds")
    void attentionAndItsBackwardOverSequencesOfSeveralBlocksAndNone(long seed) {
        start(seed);
        int[][] lengths = {{64, 0, 65, 1}, {0}, {32, 33, 150}};
        AttentionShape shape = attentionShape();
        PackedBatch batch = batches().ofLengths(lengths);
        compareAttention(shape, batch, twin.input(batch, shape.qkvSize()), 1);
    }

    private void compareAttention(AttentionShape shape, PackedBatch batch, Pair qkv, double slack) {
        Pair y = twin.output(batch, shape.outputSize());
        Pair logSumExp = twin.poisoned(twin.parameterType(), batch.rows() + Twin.SPARE_ROWS, shape.heads());
        Pair dY = twin.input(batch, shape.outputSize());
        Pair dQkv = twin.output(batch, shape.qkvSize());

        twin.run(kernels -> {
            kernels.attention(shape, batch, qkv.in(kernels), y.in(kernels), logSumExp.in(kernels));
            kernels.attentionBackward(
                    shape,
                    batch,
                    qkv.in(kernels),
                    y.in(kernels),
                    logSumExp.in(kernels),
                    dY.in(kernels),
                    dQkv.in(kernels));
        });

        twin.assertClose("y", y, slack);
        twin.assertClose("logSumExp", logSumExp, slack);
        twin.assertClose("dQkv", dQkv, 3 * slack); // differences of products that nearly cancel
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void swiGluAndItsBackward(long seed) {
        start(seed);
        int features = twin.size(1 + random.nextInt(700));
        PackedBatch batch = batches().next();
        Pair gateUp = twin.input(batch, 2 * features);
        Pair y = twin.output(batch, features);
        Pair dY = twin.input(batch, features);
        Pair dGateUp = twin.output(batch, 2 * features);

        twin.run(kernels -> {
            kernels.swiGlu(gateUp.in(kernels), batch, y.in(kernels));
            kernels.swiGluBackward(gateUp.in(kernels), dY.in(kernels), batch, dGateUp.in(kernels));
        });

        twin.assertClose("y", y);
        twin.assertClose("dGateUp", dGateUp);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void crossEntropyAndItsGradient(long seed) {
        start(seed);
        boolean large = seed % 5 == 0; // a vocabulary that takes several chunks
        int hidden = twin.size(1 + random.nextInt(large ? 8 : 100));
        int vocabulary = twin.size(large ? 40_003 : 2 + random.nextInt(3000));
        PackedBatch batch = batches().withVocabulary(vocabulary).next();
        Pair x = twin.input(batch, hidden);
        Pair weight = twin.frozen(3 / Math.sqrt(hidden), vocabulary, hidden);
        Pair losses = perRow(batch);
        Pair dX = random.nextInt(4) == 0 ? null : twin.output(batch, hidden);

        twin.run(kernels -> kernels.crossEntropy(
                x.in(kernels), weight.in(kernels), batch, losses.in(kernels), dX == null ? null : dX.in(kernels)));

        twin.assertExact("losses", losses);
        if (dX != null) {
            twin.assertClose("dX", dX);
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void logits(long seed) {
        start(seed);
        int hidden = twin.size(1 + random.nextInt(100));
        int vocabulary = twin.size(1 + random.nextInt(500));
        PackedBatch batch = batches().next();
        Pair x = twin.input(batch, hidden);
        Pair weight = twin.frozen(1, vocabulary, hidden);
        Pair y = twin.poisoned(twin.parameterType(), batch.rows() + Twin.SPARE_ROWS, vocabulary);

        twin.run(kernels -> kernels.logits(x.in(kernels), weight.in(kernels), batch, y.in(kernels)));

        twin.assertExact("y", y);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void optimize(long seed) {
        start(seed);
        List<Optimized> adapters = IntStream.rangeClosed(1, 1 + random.nextInt(5))
                .mapToObj(i -> new Optimized(twin, random))
                .toList();

        double[][] norms = new double[2][];
        twin.run(kernels -> norms[norms[0] == null ? 0 : 1] = kernels.optimize(
                adapters.stream().map(adapter -> adapter.step(kernels)).toList()));

        for (int i = 0; i < norms[0].length; i++) {
            assertThat(norms[0][i]).isCloseTo(norms[1][i], withinPercentage(0.001));
        }
        for (Optimized adapter : adapters) {
            twin.assertExact("parameters", adapter.parameters);
            adapter.assertOperandsAreParameters(twin.tested());
            twin.assertExact("firstMoment", adapter.first);
            twin.assertExact("secondMoment", adapter.second);
        }
    }

    /** One adapter's parameters and optimizer state. */
    private static final class Optimized {
        private final AdapterState tested;
        private final AdapterState reference;
        final Pair parameters;
        final Pair gradients;
        final Pair first;
        final Pair second;
        private final OptimizerStep settings;

        Optimized(Twin twin, Random random) {
            List<Matrix> matrices = matrices(twin, random);
            tested = new AdapterState(twin.tested(), matrices);
            reference = new AdapterState(twin.reference(), matrices);
            parameters = filled(twin, twin.normal((int) tested.size(), 1), AdapterState::parameters);
            gradients = filled(twin, twin.normal((int) tested.size(), 0.1), AdapterState::gradients);
            first = filled(twin, twin.normal((int) tested.size(), 0.1), AdapterState::firstMoment);
            second = filled(twin, twin.squares((int) tested.size(), 0.1), AdapterState::secondMoment);
            settings = new OptimizerStep(
                    reference,
                    random.nextInt(3) == 0 ? Rule.SGD : Rule.ADAMW,
                    0.01 * random.nextDouble(),
                    0.1 * random.nextDouble(),
                    random.nextBoolean() ? 0 : 0.1,
                    random.nextBoolean() ? 0 : 1,
                    1 + random.nextInt(100));
        }

        private static List<Matrix> matrices(Twin twin, Random random) {
            List<Matrix> matrices = new ArrayList<>();
            int count = random.nextInt(4);
            for (int i = 0; i < count; i++) {
                matrices.add(new Matrix(1 + random.nextInt(20), twin.size(1 + random.nextInt(700)), false));
            }
            for (int i = count == 0 ? -1 : 0; i < count; i++) {
                matrices.add(new Matrix(twin.size(1 + random.nextInt(700)), 1 + random.nextInt(20), true));
            }
            return matrices;
        }

        private Pair filled(Twin twin, float[] values, Function<AdapterState, Tensor> of) {
            Pair pair = new Pair(twin.tested(), of.apply(tested), of.apply(reference));
            twin.fill(pair, values);
            return pair;
        }

        void assertOperandsAreParameters(Kernels kernels) {
            float[] values = Twin.read(kernels, tested.parameters());
            for (int i = 0; i < tested.matrices().size(); i++) {
                Matrix matrix = tested.matrices().get(i);
                float[] operand = Twin.read(kernels, tested.operand(i));
                int stride = operand.length / matrix.rows();
                for (int element = 0; element < matrix.rows() * matrix.columns(); element++) {
                    int copied = element / matrix.columns() * stride + element % matrix.columns();
                    float value = values[(int) tested.offset(i) + element];
                    if (Math.abs(operand[copied] - value) > (tested.copies() ? 0x1p-8 * Math.abs(value) : 0)) {
                        assertThat(operand[copied])
                                .as("matrix %d, element %d", i, element)
                                .isEqualTo(value);
                    }
                }
            }
        }

        OptimizerStep step(Kernels kernels) {
            return new OptimizerStep(
                    kernels == parameters.testedKernels() ? tested : reference,
                    settings.rule(),
                    settings.learningRateA(),
                    settings.learningRateB(),
                    settings.weightDecay(),
                    settings.maxGradientNorm(),
                    settings.step());
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void anAdapterWithANonFiniteNormIsLeftAsItWas(long seed) {
        start(seed);
        Optimized failed = new Optimized(twin, random);
        Optimized healthy = new Optimized(twin, random);
        Kernels kernels = twin.tested();
        float[] gradients = Twin.read(kernels, failed.gradients.tested());
        gradients[random.nextInt(gradients.length)] = seed % 2 == 0 ? Float.NaN : Float.POSITIVE_INFINITY;
        Tensor poisoned =
                twin.of(twin.parameterType(), gradients, gradients.length).tested();
        kernels.copy(poisoned, failed.gradients.tested());
        float[] before = Twin.read(kernels, failed.parameters.tested());
        float[] healthyBefore = Twin.read(kernels, healthy.parameters.tested());

        double[] norms = kernels.optimize(List.of(failed.step(kernels), healthy.step(kernels)));

        assertThat(norms[0]).isNotFinite();
        assertThat(norms[1]).isFinite();
        assertThat(Twin.read(kernels, failed.parameters.tested())).isEqualTo(before);
        assertThat(Twin.read(kernels, healthy.parameters.tested()))
                .doesNotContain(Float.NaN)
                .isNotEqualTo(healthyBefore);
    }

    @Test
    void aBatchWithoutRowsLeavesEverythingAsItWas() {
        start(0);
        PackedBatch batch = new PackedBatch(new int[2], new int[1], new int[0], new int[0], new float[0], null);
        RandomAdapters adapters = new RandomAdapters(twin, random, 1, 8, true, 32, 32, 32);
        AttentionShape shape = new AttentionShape(1, 1, 32);
        Pair x = twin.output(batch, 8);
        Pair wide = twin.output(batch, 96);
        Pair y = twin.output(batch, 32);
        Pair gateUp = twin.output(batch, 64);
        Pair perRow = perRow(batch);
        Pair perHead = twin.poisoned(twin.parameterType(), Twin.SPARE_ROWS, 1);
        Pair table = twin.frozen(1, 40, 32);
        Pair rotations = twin.parameter(1, 40, 32);
        Pair weight = twin.frozen(1, 32);
        Pair logits = twin.poisoned(twin.parameterType(), Twin.SPARE_ROWS, 40);
        Pair lowRank = lowRank(adapters, batch);

        twin.run(kernels -> {
            PackedProjection projection = adapters.projection(kernels);
            LoraTable terms = adapters.table(kernels);
            kernels.embed(table.in(kernels), batch, y.in(kernels));
            kernels.rmsNorm(y.in(kernels), weight.in(kernels), 1, batch, y.in(kernels), perRow.in(kernels));
            kernels.rmsNormBackward(
                    y.in(kernels), weight.in(kernels), perRow.in(kernels), y.in(kernels), batch, y.in(kernels));
            kernels.project(
                    projection, terms, batch, x.in(kernels), lowRank.in(kernels), wide.in(kernels), wide.in(kernels));
            kernels.projectBackward(
                    projection, terms, batch, x.in(kernels), lowRank.in(kernels), wide.in(kernels), x.in(kernels));
            kernels.rotary(shape, rotations.in(kernels), batch, wide.in(kernels), false);
            kernels.attention(shape, batch, wide.in(kernels), y.in(kernels), perHead.in(kernels));
            kernels.attentionBackward(
                    shape,
                    batch,
                    wide.in(kernels),
                    y.in(kernels),
                    perHead.in(kernels),
                    y.in(kernels),
                    wide.in(kernels));
            kernels.swiGlu(gateUp.in(kernels), batch, y.in(kernels));
            kernels.swiGluBackward(gateUp.in(kernels), y.in(kernels), batch, gateUp.in(kernels));
            kernels.crossEntropy(y.in(kernels), table.in(kernels), batch, perRow.in(kernels), y.in(kernels));
            kernels.logits(y.in(kernels), table.in(kernels), batch, logits.in(kernels));
        });

        for (Pair pair : List.of(x, wide, y, gateUp, perRow, perHead, logits)) {
            twin.assertClose("untouched", pair);
        }
        for (RandomAdapters.Term term : adapters.terms(0)) {
            twin.assertClose("gradientA", term.gradientA());
            twin.assertClose("gradientB", term.gradientB());
        }
    }

    private RandomAdapters adapters(PackedBatch batch) {
        int[] outputs = IntStream.rangeClosed(0, random.nextInt(3))
                .map(i -> 1 + random.nextInt(i == 0 ? 700 : 90))
                .toArray();
        int inputs = random.nextInt(5) == 0 ? 500 + random.nextInt(200) : 1 + random.nextInt(130);
        return new RandomAdapters(twin, random, batch.adapters(), inputs, random.nextBoolean(), outputs);
    }

    private Pair perRow(PackedBatch batch) {
        return twin.poisoned(twin.parameterType(), batch.rows() + Twin.SPARE_ROWS);
    }

    private Pair lowRank(RandomAdapters adapters, PackedBatch batch) {
        long size =
                adapters.table(twin.tested()).lowRankSize(batch, twin.tested().activationType());
        return twin.poisoned(twin.tested().activationType(), size + random.nextInt(3));
    }
}
