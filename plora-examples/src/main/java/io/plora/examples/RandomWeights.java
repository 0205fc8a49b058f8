package io.plora.examples;

import io.plora.kernels.DType;
import io.plora.model.DecoderTensors;
import io.plora.model.FloatFormat;
import io.plora.model.ModelConfig;
import io.plora.model.TensorInfo;
import io.plora.model.WeightSource;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Weights of any model, made as they are asked for, in bfloat16: ones for norms, zeros for biases, normally distributed
 * values for the rest. An element depends on seed, tensor and position alone, whoever asks for which part. All processors
 * make them. One thread may ask at a time.
 */
public final class RandomWeights implements WeightSource {
    private static final double STANDARD_DEVIATION = 0.02; // transformers' initializer_range
    private static final int BLOCK = 1 << 16; // bytes that a thread makes at once
    private static final int BYTES_OF_A_DRAW = Long.BYTES; // four values of 16 bits
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;
    private static final short ONE = FloatFormat.toBfloat16(1);
    private static final char[] NORMAL = normal(); // unsigned

    private final Map<String, long[]> shapes;
    private final long seed;
    private ByteBuffer buffer = ByteBuffer.allocateDirect(0);

    public RandomWeights(ModelConfig model, long seed) {
        this.shapes = DecoderTensors.shapes(model);
        this.seed = seed;
    }

    /** 2^16 normally distributed values; a table is many times faster than drawing each value. */
    private static char[] normal() {
        Random random = new Random(1);
        char[] values = new char[1 << 16];
        for (int i = 0; i < values.length; i++) {
            values[i] = (char) FloatFormat.toBfloat16((float) (random.nextGaussian() * STANDARD_DEVIATION));
        }
        return values;
    }

    @Override
    public TensorInfo info(String name) {
        long[] shape = shapes.get(name);
        if (shape == null) {
            throw new IllegalArgumentException("The model has no tensor (%s).".formatted(name));
        }
        return new TensorInfo(DType.BF16, shape);
    }

    /** @param offset a multiple of 8 */
    @Override
    public ByteBuffer bytes(String name, long offset, int length) {
        if (offset < 0
                || offset % BYTES_OF_A_DRAW != 0
                || offset + length > info(name).bytes()) {
            throw new IllegalArgumentException(
                    "Tensor (%s) of (%d) bytes has no bytes [%d, %d) that start at a multiple of 8."
                            .formatted(name, info(name).bytes(), offset, offset + length));
        }
        if (buffer.capacity() < length) {
            buffer = ByteBuffer.allocateDirect(length).order(ByteOrder.LITTLE_ENDIAN);
        }
        int blocks = (length + BLOCK - 1) / BLOCK;
        IntStream.range(0, blocks)
                .parallel()
                .forEach(block -> fill(name, offset, block * BLOCK, Math.min(length, (block + 1) * BLOCK)));
        return buffer.slice(0, length).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void fill(String name, long offset, int from, int to) {
        if (name.endsWith("norm.weight")) {
            constant(ONE, from, to);
        } else if (name.endsWith(".bias")) {
            constant((short) 0, from, to);
        } else {
            random(name, offset, from, to);
        }
    }

    private void constant(short value, int from, int to) {
        for (int at = from; at < to; at += Short.BYTES) {
            buffer.putShort(at, value);
        }
    }

    private void random(String name, long offset, int from, int to) {
        long key = new SplittableRandom(seed * 31 + name.hashCode()).nextLong();
        long counter = (offset + from) / BYTES_OF_A_DRAW;
        int at = from;
        for (; at <= to - BYTES_OF_A_DRAW; at += BYTES_OF_A_DRAW) {
            buffer.putLong(at, values(key, counter++));
        }
        for (long rest = values(key, counter); at < to; at += Short.BYTES) {
            buffer.putShort(at, (short) rest);
            rest >>>= Short.SIZE;
        }
    }

    /** Four values, the first in the lowest bits. */
    private static long values(long key, long counter) {
        long draw = mix(key + GOLDEN * counter);
        return NORMAL[(int) draw & 0xFFFF]
                | (long) NORMAL[(int) (draw >>> 16) & 0xFFFF] << 16
                | (long) NORMAL[(int) (draw >>> 32) & 0xFFFF] << 32
                | (long) NORMAL[(int) (draw >>> 48)] << 48;
    }

    /** The finaliser of SplitMix64 (Steele, Lea, Flood 2014). */
    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
