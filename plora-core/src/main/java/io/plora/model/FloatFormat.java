package io.plora.model;

import io.plora.kernels.DType;
import java.nio.ByteBuffer;

/** Conversion between float32 and the element types of files; to the 16-bit types to nearest, ties to even. */
public final class FloatFormat {

    private static final int BF16_DROPPED_BITS = 16;
    private static final int F16_DROPPED_BITS = 13;
    private static final int SIGN = 0x8000;
    private static final int F16_INFINITY = 0x7C00;
    private static final int QUIET_NAN = 0x7FFF;

    /**
     * 2^112: float32's exponent bias less float16's is 112, so this moves a float16's exponent to where float32 has
     * it.
     */
    private static final float EXPONENT_SHIFT = 0x1p112f;

    /** Largest float32 that rounds to a finite float16 is just below this: 65504 and half a unit in its last place. */
    private static final float F16_OVERFLOW = 65520f;

    /** Adding this to a float below 2^-14 leaves the float16 subnormal in the low bits, rounded by the hardware. */
    private static final float F16_SUBNORMAL_MAGIC = 0.5f;

    private static final float F16_SMALLEST_NORMAL = 0x1p-14f;

    private FloatFormat() {}

    /** Element {@code index} of little-endian values of a type; float64 is rounded. */
    public static float get(DType type, ByteBuffer values, int index) {
        return switch (type) {
            case F64 -> (float) values.getDouble(index * Double.BYTES);
            case F32 -> values.getFloat(index * Float.BYTES);
            case F16 -> fromFloat16(values.getShort(index * Short.BYTES));
            case BF16 -> fromBfloat16(values.getShort(index * Short.BYTES));
        };
    }

    /** Sets element {@code index} of little-endian values of a type. */
    public static void put(DType type, ByteBuffer values, int index, float value) {
        switch (type) {
            case F64 -> values.putDouble(index * Double.BYTES, value);
            case F32 -> values.putFloat(index * Float.BYTES, value);
            case F16 -> values.putShort(index * Short.BYTES, toFloat16(value));
            case BF16 -> values.putShort(index * Short.BYTES, toBfloat16(value));
        }
    }

    public static float fromBfloat16(short bits) {
        return Float.intBitsToFloat(bits << BF16_DROPPED_BITS);
    }

    public static short toBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> BF16_DROPPED_BITS) | 0x40); // rounding could turn a NaN into an infinity
        }
        return (short) (roundToEven(bits, BF16_DROPPED_BITS));
    }

    public static float fromFloat16(short bits) {
        int magnitude = bits & ~SIGN & 0xFFFF;
        float value = magnitude < F16_INFINITY
                ? Float.intBitsToFloat(magnitude << F16_DROPPED_BITS) * EXPONENT_SHIFT
                : Float.intBitsToFloat(0x7F80_0000 | (magnitude & 0x3FF) << F16_DROPPED_BITS);
        return bits < 0 ? -value : value;
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
            bits = roundToEven(Float.floatToRawIntBits(magnitude) - (112 << 23), F16_DROPPED_BITS);
        }
        return (short) (sign | bits);
    }

    /** Drops low bits; a carry into the exponent is what rounding up to the next power of two needs. */
    private static int roundToEven(int bits, int dropped) {
        int half = (1 << dropped - 1) - 1;
        return bits + half + (bits >>> dropped & 1) >>> dropped;
    }
}
