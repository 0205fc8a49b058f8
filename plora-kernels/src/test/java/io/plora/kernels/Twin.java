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

    Twin(Kernels tested, Kernels reference, Random random, double tolerance) {
        this.tested = tested;
        this.reference = reference;
        this.random = random;
        this.tolerance = tolerance;
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
    Pair positive(int size) {
        float[] values = normal(size, 0.1);
        for (int i = 0; i < size; i++) {
            values[i] *= values[i];
        }
        return of(tested.parameterType(), values, size);
    }

    Kernels tested() {
        return tested;
    }

    DType parameterType() {
        return tested.parameterType();
    }

    Pair of(DType type, float[] values, long... shape) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(
                    type == DType.BF16
                            ? Values.bfloat16ToFloat((short) (Float.floatToRawIntBits(value) >> 16))
                            : value);
        }
        Tensor fast = tested.allocate(type, shape);
        Tensor slow = reference.allocate(reference.activationType(), shape);
        tested.write(fast, bytes.flip(), DType.F32);
        reference.write(slow, bytes.rewind(), DType.F32);
        return new Pair(tested, fast, slow);
    }

    private float[] normal(int count, double deviation) {
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
