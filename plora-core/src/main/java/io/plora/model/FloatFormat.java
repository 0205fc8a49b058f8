package io.plora.model;

import io.plora.kernels.DType;
import java.nio.ByteBuffer;

/**
 * Float32 values to the element types of files, to the 16-bit ones to nearest, ties to even; the way back is {@link
 * io.plora.kernels.Values}.
 */
public final class FloatFormat {

    private static final int BF16_DROPPED_BITS = 16;
    private static final int F16_DROPPED_BITS = 13;
    private static final int SIGN = 0x8000;
    private static final int F16_INFINITY = 0x7C00;
    private static final int QUIET_NAN = 0x7FFF;

    /** Largest float32 that rounds to a finite float16 is just below this: 65504 and half a unit in its last place. */
    private static final float F16_OVERFLOW = 65520f;

    /** Adding this to a float below 2^-14 leaves the float16 subnormal in the low bits, rounded by the hardware. */
    private static final float F16_SUBNORMAL_MAGIC = 0.5f;

    /** Float32's exponent bias less float16's is 112. */
    private static final int F16_REBIASED = 112 << 23;

    private static final float F16_SMALLEST_NORMAL = 0x1p-14f;

    private FloatFormat() {}

    /** Sets element {@code index} of little-endian values of a type. */
    public static void put(DType type, ByteBuffer values, int index, float value) {
        switch (type) {
            case F64 -> values.putDouble(index * Double.BYTES, value);
            case F32 -> values.putFloat(index * Float.BYTES, value);
            case F16 -> values.putShort(index * Short.BYTES, toFloat16(value));
            case BF16 -> values.putShort(index * Short.BYTES, toBfloat16(value));
        }
    }

    public static short toBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> BF16_DROPPED_BITS) | 0x40); // rounding could turn a NaN into an infinity
        }
        return (short) (roundToEven(bits, BF16_DROPPED_BITS));
    }

    public static short toFloat16(float value) {
        int sign = Float.floatToRawIntBits(value) >>> 16 & SIGN;
        float magnitude = Math.abs(value);
        int bits;
        if (Float.isNaN(value)) {
            bits = QUIET_NAN;
        } else if (magnitude >= F16_OVERFLOW) {
            bits = F16_INFINITY;
        } else if (magnitude < F16_SMALLEST_NORMAL) {
            bits = Float.floatToRawIntBits(magnitude + F16_SUBNORMAL_MAGIC)
                    - Float.floatToRawIntBits(F16_SUBNORMAL_MAGIC);
        } else {
            bits = roundToEven(Float.floatToRawIntBits(magnitude) - F16_REBIASED, F16_DROPPED_BITS);
        }
        return (short) (sign | bits);
    }

    /** Drops low bits; a carry into the exponent is what rounding up to the next power of two needs. */
    private static int roundToEven(int bits, int dropped) {
        int half = (1 << dropped - 1) - 1;
        return bits + half + (bits >>> dropped & 1) >>> dropped;
    }
}
