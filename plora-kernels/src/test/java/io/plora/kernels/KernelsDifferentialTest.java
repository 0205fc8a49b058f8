package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.plora.kernels.OptimizerStep.Rule;
import io.plora.kernels.Twin.Pair;
import io.plora.kernels.reference.ReferenceKernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every operation of an implementation against the reference, over random shapes.
 *
 * <p>Results that must be overwritten start as NaN, and activations have rows of NaN beyond the batch.
 */
abstract class KernelsDifferentialTest {
    private Random random = new Random();
    private Twin twin = open(0);

    /** A new instance of what is tested. */
    abstract Kernels kernels();

    /** Error allowed relative to an element plus the root mean square of its tensor. */
    abstract double tolerance();

    static LongStream seeds() {
        return LongStream.range(0, 20);
    }

    private Twin open(long seed) {
        random = new Random(seed);
        return new Twin(kernels(), new ReferenceKernels(), random, tolerance());
    }

    private void start(long seed) {
        twin.close();
        twin = open(seed);
    }

    @AfterEach
    void close() {
        twin.close();
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void embed(long seed) {
        start(seed);
        int hidden = 1 + random.nextInt(200);
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
        int hidden = 1 + random.nextInt(1000);
        PackedBatch batch = batches().next();
        Pair x = twin.input(batch, hidden);
        Pair weight = twin.frozen(1, hidden);
        Pair y = twin.output(batch, hidden);
        Pair inverseRms = perRow(batch);
        Pair dY = twin.input(batch, hidden);
        Pair dX = twin.input(batch, hidden);

        twin.run(kernels -> {
            kernels.rmsNorm(x.in(kernels), weight.in(kernels), 1e-6, batch, y.in(kernels), inverseRms.in(kernels));
            kernels.rmsNormBackward(
                    x.in(kernels), weight.in(kernels), inverseRms.in(kernels), dY.in(kernels), batch, dX.in(kernels));
        });

        twin.assertClose("y", y);
        twin.assertClose("inverseRms", inverseRms);
        twin.assertClose("dX", dX);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void projectAndItsBackward(long seed) {
        start(seed);
        PackedBatch batch = batches().withDropout(random.nextInt(3) > 0).next();
        RandomAdapters adapters = adapters(batch);
        boolean accumulate = random.nextBoolean();
        Pair x = twin.input(batch, adapters.inputs());
        Pair y = accumulate ? twin.input(batch, adapters.outputs()) : twin.output(batch, adapters.outputs());
        Pair lowRank = lowRank(adapters, batch);
        Pair dY = twin.input(batch, adapters.outputs());
        Pair dX = random.nextInt(4) == 0 ? null : twin.output(batch, adapters.inputs());

        twin.run(kernels -> {
            PackedProjection projection = adapters.projection(kernels);
            LoraTable table = adapters.table(kernels);
            kernels.project(projection, table, batch, x.in(kernels), lowRank.in(kernels), y.in(kernels), accumulate);
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
        Pair table = twin.frozen(1, 40, shape.headSize());
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
        PackedBatch batch =
                batches().withLongestSequence(seed % 5 == 0 ? 150 : 30).next();
        Pair qkv = twin.input(batch, shape.qkvSize());
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

        twin.assertClose("y", y);
        twin.assertClose("logSumExp", logSumExp);
        twin.assertClose("dQkv", dQkv);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void swiGluAndItsBackward(long seed) {
        start(seed);
        int features = 1 + random.nextInt(700);
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
        int hidden = 1 + random.nextInt(100);
        int vocabulary = seed % 5 == 0 ? 20_011 : 2 + random.nextInt(3000);
        int length = seed % 5 == 0 ? 2 : 30;
        PackedBatch batch =
                batches().withLongestSequence(length).withVocabulary(vocabulary).next();
        Pair x = twin.input(batch, hidden);
        Pair weight = twin.frozen(3 / Math.sqrt(hidden), vocabulary, hidden);
        Pair losses = perRow(batch);
        Pair dX = random.nextInt(4) == 0 ? null : twin.output(batch, hidden);

        twin.run(kernels -> kernels.crossEntropy(
                x.in(kernels), weight.in(kernels), batch, losses.in(kernels), dX == null ? null : dX.in(kernels)));

        twin.assertClose("losses", losses);
        if (dX != null) {
            twin.assertClose("dX", dX);
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void logits(long seed) {
        start(seed);
        int hidden = 1 + random.nextInt(100);
        int vocabulary = 1 + random.nextInt(500);
        PackedBatch batch = batches().next();
        Pair x = twin.input(batch, hidden);
        Pair weight = twin.frozen(1, vocabulary, hidden);
        Pair y = twin.poisoned(twin.parameterType(), batch.rows() + Twin.SPARE_ROWS, vocabulary);

        twin.run(kernels -> kernels.logits(x.in(kernels), weight.in(kernels), batch, y.in(kernels)));

        twin.assertClose("y", y);
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
            twin.assertClose("parameters", adapter.parameters);
            twin.assertClose("gradients", adapter.gradients);
            twin.assertClose("firstMoment", adapter.first);
            twin.assertClose("secondMoment", adapter.second);
        }
    }

    /** One adapter's parameters and optimizer state. */
    private static final class Optimized {
        final Pair parameters;
        final Pair gradients;
        final Pair first;
        final Pair second;
        private final OptimizerStep settings;

        Optimized(Twin twin, Random random) {
            int size = 1 + random.nextInt(40_000);
            parameters = twin.parameter(1, size);
            gradients = twin.parameter(0.1, size);
            first = twin.parameter(0.1, size);
            second = twin.positive(size);
            settings = new OptimizerStep(
                    parameters.reference(),
                    gradients.reference(),
                    first.reference(),
                    second.reference(),
                    random.nextInt(size + 1),
                    random.nextInt(3) == 0 ? Rule.SGD : Rule.ADAMW,
                    0.01 * random.nextDouble(),
                    0.1 * random.nextDouble(),
                    random.nextBoolean() ? 0 : 0.1,
                    random.nextBoolean() ? 0 : 1,
                    1 + random.nextInt(100));
        }

        OptimizerStep step(Kernels kernels) {
            return new OptimizerStep(
                    parameters.in(kernels),
                    gradients.in(kernels),
                    first.in(kernels),
                    second.in(kernels),
                    settings.bOffset(),
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
        assertThat(Twin.read(kernels, failed.gradients.tested())).containsOnly(0);
        assertThat(Twin.read(kernels, healthy.parameters.tested()))
                .doesNotContain(Float.NaN)
                .isNotEqualTo(healthyBefore);
    }

    /** One pass through all operations that see rows; what it leaves behind. */
    private List<float[]> pass(
            Kernels kernels,
            PackedBatch batch,
            RandomAdapters adapters,
            LoraTable table,
            AttentionShape shape,
            Pair weight,
            Tensor x) {
        int inputs = adapters.inputs();
        int outputs = adapters.outputs();
        PackedProjection projection = adapters.projection(kernels);
        Tensor lowRank = kernels.allocate(kernels.activationType(), Math.max(1, table.lowRankSize(batch)));
        Tensor qkv = activation(kernels, batch, outputs);
        Tensor y = activation(kernels, batch, shape.outputSize());
        Tensor logSumExp = kernels.allocate(kernels.parameterType(), batch.rows(), shape.heads());
        Tensor losses = kernels.allocate(kernels.parameterType(), batch.rows());
        Tensor dY = activation(kernels, batch, shape.outputSize());
        Tensor dQkv = activation(kernels, batch, outputs);
        Tensor dX = activation(kernels, batch, inputs);

        kernels.project(projection, table, batch, x, lowRank, qkv, false);
        kernels.attention(shape, batch, qkv, y, logSumExp);
        kernels.crossEntropy(y, weight.in(kernels), batch, losses, dY);
        kernels.attentionBackward(shape, batch, qkv, y, logSumExp, dY, dQkv);
        kernels.projectBackward(projection, table, batch, x, lowRank, dQkv, dX);

        List<float[]> results = new ArrayList<>();
        for (Tensor tensor : List.of(qkv, y, losses, dY, dQkv, dX)) {
            results.add(Twin.read(kernels, tensor));
        }
        return results;
    }

    private static Tensor activation(Kernels kernels, PackedBatch batch, int width) {
        return kernels.allocate(kernels.activationType(), batch.rows(), width);
    }

    private List<float[]> gradients(RandomAdapters adapters, int adapter) {
        List<float[]> gradients = new ArrayList<>();
        for (RandomAdapters.Term term : adapters.terms(adapter)) {
            gradients.add(Twin.read(twin.tested(), term.gradientA().tested()));
            gradients.add(Twin.read(twin.tested(), term.gradientB().tested()));
        }
        return gradients;
    }

    private void clearGradients(RandomAdapters adapters) {
        for (int adapter = 0; adapter < adapters.adapters(); adapter++) {
            for (RandomAdapters.Term term : adapters.terms(adapter)) {
                twin.tested().zero(term.gradientA().tested());
                twin.tested().zero(term.gradientB().tested());
            }
        }
    }

    /** A group for {@link #pass}. */
    private final class Group {
        final PackedBatch batch =
                batches().withAdapters(4).withDropout(true).withVocabulary(300).next();
        final AttentionShape shape = attentionShape();
        final RandomAdapters adapters = new RandomAdapters(
                twin,
                random,
                4,
                5 + random.nextInt(100),
                random.nextBoolean(),
                shape.outputSize(),
                shape.kvHeads() * shape.headSize(),
                shape.kvHeads() * shape.headSize());
        final Pair weight = twin.frozen(0.3, 300, shape.outputSize());
        final float[] x =
                Twin.read(twin.tested(), twin.input(batch, adapters.inputs()).tested());

        List<float[]> packed(float[] values) {
            clearGradients(adapters);
            return run(batch, adapters.table(twin.tested()), values);
        }

        List<float[]> alone(int adapter) {
            clearGradients(adapters);
            int width = adapters.inputs();
            float[] own = Arrays.copyOfRange(x, batch.adapterStart(adapter) * width, batch.adapterEnd(adapter) * width);
            return run(RandomBatches.alone(batch, adapter), adapters.table(twin.tested(), adapter), own);
        }

        private List<float[]> run(PackedBatch rows, LoraTable table, float[] values) {
            Tensor input = twin.of(
                            twin.tested().activationType(),
                            values,
                            values.length / adapters.inputs(),
                            adapters.inputs())
                    .tested();
            return pass(twin.tested(), rows, adapters, table, shape, weight, input);
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void aFailedAdapterNeverReachesTheRowsOrGradientsOfAnother(long seed) {
        start(seed);
        Group group = new Group();
        int failed = random.nextInt(4);
        int start = group.batch.adapterStart(failed);
        int end = group.batch.adapterEnd(failed);
        List<float[]> healthy = group.packed(group.x);
        List<List<float[]>> gradients = IntStream.range(0, 4)
                .mapToObj(i -> gradients(group.adapters, i))
                .toList();
        float[] poisoned = group.x.clone();
        Arrays.fill(poisoned, start * group.adapters.inputs(), end * group.adapters.inputs(), Float.NaN);

        List<float[]> results = group.packed(poisoned);

        for (int i = 0; i < results.size(); i++) {
            int width = results.get(i).length / group.batch.rows();
            assertSameBits(
                    List.of(without(results.get(i), start * width, end * width)),
                    List.of(without(healthy.get(i), start * width, end * width)));
        }
        for (int adapter = 0; adapter < 4; adapter++) {
            if (adapter != failed) {
                assertSameBits(gradients(group.adapters, adapter), gradients.get(adapter));
            }
        }
    }

    private static float[] without(float[] values, int from, int to) {
        float[] rest = Arrays.copyOf(values, values.length - (to - from));
        System.arraycopy(values, to, rest, from, values.length - to);
        return rest;
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void anAdapterPackedWithOthersIsAsItIsAlone(long seed) {
        start(seed);
        Group group = new Group();
        List<float[]> packed = group.packed(group.x);
        List<List<float[]>> gradients = IntStream.range(0, 4)
                .mapToObj(i -> gradients(group.adapters, i))
                .toList();
        for (int adapter = 0; adapter < 4; adapter++) {
            int rows = group.batch.rows();
            int start = group.batch.adapterStart(adapter);
            int end = group.batch.adapterEnd(adapter);

            List<float[]> alone = group.alone(adapter);

            for (int i = 0; i < alone.size() && end > start; i++) {
                int width = packed.get(i).length / rows;
                float[] own = Arrays.copyOfRange(packed.get(i), start * width, end * width);
                assertAlike(List.of(own), List.of(alone.get(i)));
            }
            assertAlike(gradients.get(adapter), gradients(group.adapters, adapter));
        }
    }

    /** Together and with an absolute part: gradients of queries and keys cancel to nothing where a sequence is one row. */
    private void assertAlike(List<float[]> actual, List<float[]> expected) {
        double difference = 0;
        double size = 0;
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < expected.size(); i++) {
            assertThat(actual.get(i)).hasSameSizeAs(expected.get(i));
            for (int j = 0; j < expected.get(i).length; j++) {
                difference += Math.pow(actual.get(i)[j] - expected.get(i)[j], 2);
                size += Math.pow(expected.get(i)[j], 2);
            }
        }
        assertThat(Math.sqrt(difference)).isLessThanOrEqualTo(tolerance() * (1 + Math.sqrt(size)));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void twoRunsGiveTheSameBits(long seed) {
        start(seed);
        Group group = new Group();
        List<float[]> first = new ArrayList<>(group.packed(group.x));
        first.addAll(gradients(group.adapters, 0));

        List<float[]> second = new ArrayList<>(group.packed(group.x));
        second.addAll(gradients(group.adapters, 0));

        assertSameBits(second, first);
    }

    private static void assertSameBits(List<float[]> actual, List<float[]> expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < expected.size(); i++) {
            int different = Arrays.mismatch(actual.get(i), expected.get(i));
            assertThat(different).as("first different element of result %d", i).isEqualTo(-1);
        }
    }

    private RandomBatches batches() {
        return new RandomBatches(random).withAdapters(1 + random.nextInt(5)).withLongestSequence(30);
    }

    private RandomAdapters adapters(PackedBatch batch) {
        int[] outputs = IntStream.rangeClosed(0, random.nextInt(3))
                .map(i -> 1 + random.nextInt(i == 0 ? 700 : 90))
                .toArray();
        int inputs = random.nextInt(5) == 0 ? 500 + random.nextInt(200) : 1 + random.nextInt(130);
        return new RandomAdapters(twin, random, batch.adapters(), inputs, random.nextBoolean(), outputs);
    }

    private AttentionShape attentionShape() {
        int kvHeads = 1 + random.nextInt(2);
        int[] headSizes = {32, 64, 96, 128};
        return new AttentionShape(kvHeads * (1 + random.nextInt(3)), kvHeads, headSizes[random.nextInt(4)]);
    }

    private Pair perRow(PackedBatch batch) {
        return twin.poisoned(twin.parameterType(), batch.rows() + Twin.SPARE_ROWS);
    }

    private Pair lowRank(RandomAdapters adapters, PackedBatch batch) {
        long size = adapters.table(twin.tested()).lowRankSize(batch);
        return twin.poisoned(twin.tested().activationType(), Math.max(1, size));
    }
}
