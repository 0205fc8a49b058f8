package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.kernels.Twin.Pair;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What adapters that share a pass may notice of each other: nothing. */
abstract class KernelsPackingTest extends TwinTest {

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
        Tensor lowRank = kernels.allocate(
                kernels.activationType(), Math.max(1, table.lowRankSize(batch, kernels.activationType())));
        Tensor qkv = activation(kernels, batch, outputs);
        Tensor y = activation(kernels, batch, shape.outputSize());
        Tensor logSumExp = kernels.allocate(kernels.parameterType(), batch.rows(), shape.heads());
        Tensor losses = kernels.allocate(kernels.parameterType(), batch.rows());
        Tensor dY = activation(kernels, batch, shape.outputSize());
        Tensor dQkv = activation(kernels, batch, outputs);
        Tensor dX = activation(kernels, batch, inputs);

        kernels.project(projection, table, batch, x, lowRank, null, qkv);
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
                batches().withAdapters(4).withDropout(true).withVocabulary(304).next();
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
        final Pair weight = twin.frozen(0.3, 304, shape.outputSize());
        final float[] x =
                Twin.read(twin.tested(), twin.input(batch, adapters.inputs()).tested());

        int adapterWithRows() {
            int adapter = random.nextInt(4);
            while (batch.adapterRows(adapter) == 0) {
                adapter = (adapter + 1) % 4;
            }
            return adapter;
        }

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
        int failed = group.adapterWithRows();
        int start = group.batch.adapterStart(failed);
        int end = group.batch.adapterEnd(failed);
        float[] poisoned = group.x.clone();
        Arrays.fill(poisoned, start * group.adapters.inputs(), end * group.adapters.inputs(), Float.NaN);

        assertOthersSame(group, failed, () -> group.packed(poisoned));
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void anAdapterWithFailedParametersNeverReachesTheRowsOrGradientsOfAnother(long seed) {
        start(seed);
        Group group = new Group();
        int failed = group.adapterWithRows();

        assertOthersSame(group, failed, () -> {
            for (RandomAdapters.Term term : group.adapters.terms(failed)) {
                fill(term.a(), Float.NaN);
                fill(term.b(), Float.POSITIVE_INFINITY);
            }
            return group.packed(group.x);
        });
    }

    private void fill(Pair pair, float value) {
        float[] values = new float[(int) pair.tested().size()];
        Arrays.fill(values, value);
        twin.tested().write(pair.tested(), values);
    }

    private void assertOthersSame(Group group, int failed, Supplier<List<float[]>> failing) {
        int start = group.batch.adapterStart(failed);
        int end = group.batch.adapterEnd(failed);
        List<float[]> healthy = group.packed(group.x);
        List<List<float[]>> gradients = IntStream.range(0, 4)
                .mapToObj(i -> gradients(group.adapters, i))
                .toList();

        List<float[]> results = failing.get();

        for (int i = 0; i < results.size(); i++) {
            int width = results.get(i).length / group.batch.rows();
            assertSameBits(
                    List.of(without(results.get(i), start * width, end * width)),
                    List.of(without(healthy.get(i), start * width, end * width)));
        }
        for (int adapter = 0; adapter < 4; adapter++) {
            if (adapter != failed) {
                assertSameBits(gradients(group.adapters, adapter), gradients.get(adapter));
            } else if (!group.adapters.terms(failed).isEmpty()) {
                assertThat(gradients(group.adapters, failed))
                        .anySatisfy(values -> assertThat(values).contains(Float.NaN));
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
        IntStream.range(0, 4).forEach(adapter -> first.addAll(gradients(group.adapters, adapter)));

        List<float[]> second = new ArrayList<>(group.packed(group.x));
        IntStream.range(0, 4).forEach(adapter -> second.addAll(gradients(group.adapters, adapter)));

        assertSameBits(second, first);
    }

    private static void assertSameBits(List<float[]> actual, List<float[]> expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < expected.size(); i++) {
            int different = Arrays.mismatch(actual.get(i), expected.get(i));
            assertThat(different).as("first different element of result %d", i).isEqualTo(-1);
        }
    }
}
