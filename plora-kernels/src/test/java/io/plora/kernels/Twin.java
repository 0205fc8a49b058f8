package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Consumer;

/** Runs the same operation on an implementation and on the reference, over the same values. */
final class Twin implements AutoCloseable {
    /** Rows of activation tensors beyond the batch's, which no operation may read or write. */
    static final int SPARE_ROWS = 2;

    private final Kernels tested;
    private final Kernels reference;
    private final Random random;
    private final double tolerance;
    private final double exactTolerance;

    Twin(Kernels tested, Kernels reference, Random random, double tolerance, double exactTolerance) {
        this.tested = tested;
        this.reference = reference;
        this.random = random;
        this.tolerance = tolerance;
        this.exactTolerance = exactTolerance;
    }

    /** One tensor in both. */
    record Pair(Kernels testedKernels, Tensor tested, Tensor reference) {
        Tensor in(Kernels kernels) {
            return kernels == testedKernels ? tested : reference;
        }
    }

    void run(Consumer<Kernels> operation) {
        operation.accept(tested);
        operation.accept(reference);
    }

    /** Normal values for the batch's rows, then spare rows of NaN. */
    Pair input(PackedBatch batch, int width) {
        float[] values = normal((batch.rows() + SPARE_ROWS) * width, 1);
        Arrays.fill(values, batch.rows() * width, values.length, Float.NaN);
        return of(tested.activationType(), values, batch.rows() + SPARE_ROWS, width);
    }

    /** Memory for a result, full of NaN. */
    Pair output(PackedBatch batch, int width) {
        return poisoned(tested.activationType(), batch.rows() + SPARE_ROWS, width);
    }

    Pair poisoned(DType type, long... shape) {
        float[] values = new float[(int) size(shape)];
        Arrays.fill(values, Float.NaN);
        return of(type, values, shape);
    }

    Pair frozen(double deviation, long... shape) {
        return of(tested.activationType(), normal((int) size(shape), deviation), shape);
    }

    Pair parameter(double deviation, long... shape) {
        return of(tested.parameterType(), normal((int) size(shape), deviation), shape);
    }

    /** Squares of normal values, as second moments are. */
    float[] squares(int size, double deviation) {
        float[] values = normal(size, deviation);
        for (int i = 0; i < size; i++) {
            values[i] *= values[i];
        }
        return values;
    }

    Kernels reference() {
        return reference;
    }

    Kernels tested() {
        return tested;
    }

    DType parameterType() {
        return tested.parameterType();
    }

    Pair of(DType type, float[] values, long... shape) {
        Pair pair =
                new Pair(tested, tested.allocate(type, shape), reference.allocate(reference.activationType(), shape));
        fill(pair, values);
        return pair;
    }

    /** Sets both to values that the tested type holds exactly. */
    void fill(Pair pair, float[] values) {
        float[] exact = pair.tested.type() == DType.BF16 ? truncated(values) : values;
        tested.write(pair.tested, exact);
        reference.write(pair.reference, exact);
    }

    private static float[] truncated(float[] values) {
        float[] truncated = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            truncated[i] = Values.bfloat16ToFloat((short) (Float.floatToRawIntBits(values[i]) >> 16));
        }
        return truncated;
    }

    /** An adapter's matrix as products read it: in the tested kernels with padded rows, NaN in the padding. */
    Pair operand(double deviation, int rows, int columns) {
        Pair dense = frozen(deviation, rows, columns);
        int stride = AdapterState.stride(tested.activationType(), columns);
        if (stride == columns) {
            return dense;
        }
        float[] values = read(reference, dense.reference);
        float[] padded = new float[rows * stride];
        Arrays.fill(padded, Float.NaN);
        for (int row = 0; row < rows; row++) {
            System.arraycopy(values, row * columns, padded, row * stride, columns);
        }
        Tensor tensor = tested.allocate(tested.activationType(), rows, stride);
        tested.write(tensor, padded);
        return new Pair(tested, tensor, dense.reference);
    }

    /** A size that the tested kernels take: bf16 ones want multiples of 8. */
    int size(int wanted) {
        return AdapterState.stride(tested.activationType(), wanted);
    }

    float[] normal(int count, double deviation) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (random.nextGaussian() * deviation);
        }
        return values;
    }

    private static long size(long[] shape) {
        long size = 1;
        for (long dimension : shape) {
            size *= dimension;
        }
        return size;
    }

    static float[] read(Kernels kernels, Tensor tensor) {
        ByteBuffer bytes = ByteBuffer.allocate((int) (4 * tensor.size())).order(ByteOrder.LITTLE_ENDIAN);
        kernels.read(tensor, bytes);
        float[] values = new float[(int) tensor.size()];
        bytes.flip().asFloatBuffer().get(values);
        return values;
    }

    void assertClose(String name, Pair pair) {
        assertClose(name, pair, 1);
    }

    /** As {@link #assertClose}, for results that no rounded activation has gone into. */
    void assertExact(String name, Pair pair) {
        assertClose(name, pair, exactTolerance / tolerance);
    }

    /**
     * Every element: |actual - expected| at most slack x tolerance x (|expected| + root mean square of the expected tensor); NaN
     * exactly where NaN is expected.
     */
    void assertClose(String name, Pair pair, double slack) {
        float[] actual = read(tested, pair.tested());
        float[] expected = read(reference, pair.reference());
        double rms = rms(expected);
        for (int i = 0; i < expected.length; i++) {
            double allowed = slack * tolerance * (Math.abs(expected[i]) + rms);
            boolean close =
                    Float.isNaN(expected[i]) ? Float.isNaN(actual[i]) : Math.abs(actual[i] - expected[i]) <= allowed;
            if (!close) { // a message only where one is needed: there are millions of elements
                assertThat(actual[i])
                        .as("%s %s: element %d, allowed error %g", name, pair.tested(), i, allowed)
                        .isEqualTo(expected[i]);
            }
        }
        assertThat(actual).hasSameSizeAs(expected);
    }

    private static double rms(float[] values) {
        double squares = 0;
        int count = 0;
        for (float value : values) {
            if (!Float.isNaN(value)) {
                squares += (double) value * value;
                count++;
            }
        }
        return Math.sqrt(squares / Math.max(1, count));
    }

    @Override
    public void close() {
        tested.close();
        reference.close();
    }
}
