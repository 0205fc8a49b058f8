package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.kernels.DType;
import io.plora.kernels.Values;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FloatFormatTest {

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F16", "BF16"})
    void every16BitValueReadsBack(DType type) {
        for (int bits = 0; bits < 0x10000; bits++) {
            float value = decode(type, bits);
            int encoded = encode(type, value);
            if (Float.isNaN(value)) {
                assertThat(decode(type, encoded)).isNaN();
            } else {
                assertThat(encoded).isEqualTo(bits);
            }
        }
    }

    /** Positive values of a 16-bit type are in the order of their bits, so the middle of two neighbours is a tie. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F16", "BF16"})
    void roundsToNearestAndTiesToEven(DType type) {
        Random random = new Random(2);
        int infinity = type == DType.F16 ? 0x7C00 : 0x7F80;
        for (int trial = 0; trial < 20_000; trial++) {
            int bits = random.nextInt(infinity - 1);
            float below = decode(type, bits);
            float above = decode(type, bits + 1);
            float middle = (float) (((double) below + above) / 2);
            assertThat(encode(type, middle)).isEqualTo(bits + (bits & 1));
            assertThat(encode(type, Math.nextDown(middle))).isEqualTo(bits);
            assertThat(encode(type, Math.nextUp(middle))).isEqualTo(bits + 1);
            assertThat(encode(type, -middle)).isEqualTo(0x8000 | bits + (bits & 1));
        }
    }

    @Test
    void whatIsTooLargeBecomesInfinite() {
        assertThat(encode(DType.F16, 65519.996f)).isEqualTo(0x7BFF);
        assertThat(encode(DType.F16, 65520f)).isEqualTo(0x7C00);
        assertThat(encode(DType.F16, -1e9f)).isEqualTo(0xFC00);
        assertThat(encode(DType.BF16, Float.MAX_VALUE)).isEqualTo(0x7F80);
        assertThat(encode(DType.BF16, Float.NEGATIVE_INFINITY)).isEqualTo(0xFF80);
    }

    @Test
    void aNanStaysOneWhateverItsBits() {
        float quietInLowBits = Float.intBitsToFloat(0x7F80_0001);
        assertThat(decode(DType.BF16, encode(DType.BF16, quietInLowBits))).isNaN();
        assertThat(decode(DType.F16, encode(DType.F16, quietInLowBits))).isNaN();
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void elementsAreFoundByTheirIndex(DType type) {
        ByteBuffer values = ByteBuffer.allocate(3 * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        FloatFormat.put(type, values, 2, -0.75f);
        assertThat(Values.value(values, type, 2)).isEqualTo(-0.75f);
        assertThat(Values.value(values, type, 1)).isZero();
    }

    private static float decode(DType type, int bits) {
        return type == DType.F16 ? Values.float16ToFloat((short) bits) : Values.bfloat16ToFloat((short) bits);
    }

    private static int encode(DType type, float value) {
        return (type == DType.F16 ? FloatFormat.toFloat16(value) : FloatFormat.toBfloat16(value)) & 0xFFFF;
    }
}
