package io.plora.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;

/** Decodes the values of a file or another tensor: all remaining little-endian bytes of a buffer, whatever its byte order. */
public final class Values {
    private Values() {}

    /**
     * Decodes into all of {@code to}; the position of {@code from} ends at its limit.
     *
     * @throws IllegalArgumentException if the numbers of values differ
     */
    public static void decode(ByteBuffer from, DType type, DoubleBuffer to) {
        ByteBuffer bytes = take(from, type, to.capacity());
        if (type == DType.F64) {
            to.put(0, bytes.asDoubleBuffer(), 0, to.capacity());
            return;
        }
        for (int i = 0; i < to.capacity(); i++) {
            to.put(i, value(bytes, type, i));
        }
    }

    /** As {@link #decode(ByteBuffer, DType, DoubleBuffer)}, rounding double precision to float32. */
    public static void decode(ByteBuffer from, DType type, FloatBuffer to) {
        ByteBuffer bytes = take(from, type, to.capacity());
        if (type == DType.F32) {
            to.put(0, bytes.asFloatBuffer(), 0, to.capacity());
            return;
        }
        for (int i = 0; i < to.capacity(); i++) {
            to.put(i, value(bytes, type, i));
        }
    }

    /** Element {@code index} of little-endian values; double precision is rounded to float32. */
    public static float value(ByteBuffer bytes, DType type, int index) {
        return switch (type) {
            case F64 -> (float) bytes.getDouble(8 * index);
            case F32 -> bytes.getFloat(4 * index);
            case F16 -> float16ToFloat(bytes.getShort(2 * index));
            case BF16 -> bfloat16ToFloat(bytes.getShort(2 * index));
        };
    }

    private static ByteBuffer take(ByteBuffer from, DType type, int values) {
        if (from.remaining() != (long) values * type.bytes()) {
            throw new IllegalArgumentException("(%d) bytes of type (%s) are not the tensor's (%d) values."
                    .formatted(from.remaining(), type, values));
        }
        ByteBuffer bytes = from.slice().order(ByteOrder.LITTLE_ENDIAN);
        from.position(from.limit());
        return bytes;
    }

    /** Value of an IEEE 754 half-precision number. */
    public static float float16ToFloat(short bits) {
        int sign = (bits & 0x8000) << 16;
        int exponent = (bits >>> 10) & 0x1F;
        int fraction = bits & 0x3FF;
        if (exponent == 0) { // zero or subnormal: fraction x 2^-24, exact in float32
            float magnitude = fraction * 0x1p-24f;
            return sign == 0 ? magnitude : -magnitude;
        }
        int wideExponent = exponent == 0x1F ? 0xFF : exponent - 15 + 127;
        return Float.intBitsToFloat(sign | wideExponent << 23 | fraction << 13);
    }

    /** The nearest bfloat16 number, of two the one with an even last bit; NaN stays NaN. */
    public static short floatToBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40); // a bit of the upper half, or it would become infinite
        }
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }

    /** Value of a bfloat16 number: the high half of a float32. */
    public static float bfloat16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }
}
