package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class ValuesTest {

    @Test
    void floatsRoundToTheNearestBfloat16() {
        assertThat(Values.floatToBfloat16(1 + 0x1p-9f)).isEqualTo(bits(1));
        assertThat(Values.floatToBfloat16(1 + 0x1p-8f)).isEqualTo(bits(1));
        assertThat(Values.floatToBfloat16(1 + 3 * 0x1p-8f)).isEqualTo(bits(1 + 0x1p-6f));
        assertThat(Values.floatToBfloat16(-1 - 0x1.8p-8f)).isEqualTo(bits(-1 - 0x1p-7f));
        assertThat(Values.floatToBfloat16(Float.MAX_VALUE)).isEqualTo(bits(Float.POSITIVE_INFINITY));
        float nan = Float.intBitsToFloat(0x7F800001);
        assertThat(Values.bfloat16ToFloat(Values.floatToBfloat16(nan))).isNaN();
    }

    private static short bits(float value) {
        return (short) (Float.floatToRawIntBits(value) >> 16);
    }

    @Test
    void everyFloat16HasTheValueOfItsFormula() {
        for (int bits = 0; bits < 65536; bits++) {
            assertSameFloat(Values.float16ToFloat((short) bits), formula(bits, 5, 10), bits);
        }
    }

    @Test
    void everyBfloat16HasTheValueOfItsFormula() {
        for (int bits = 0; bits < 65536; bits++) {
            assertSameFloat(Values.bfloat16ToFloat((short) bits), formula(bits, 8, 7), bits);
        }
    }

    /** IEEE 754: sign, biased exponent, fraction. */
    private static double formula(int bits, int exponentBits, int fractionBits) {
        double sign = (bits & 0x8000) == 0 ? 1 : -1;
        int exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1);
        double fraction = (bits & ((1 << fractionBits) - 1)) / (double) (1 << fractionBits);
        int bias = (1 << (exponentBits - 1)) - 1;
        if (exponent == 2 * bias + 1) {
            return fraction == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
        }
        return exponent == 0
                ? sign * fraction * Math.pow(2, 1 - bias)
                : sign * (1 + fraction) * Math.pow(2, exponent - bias);
    }

    private static void assertSameFloat(float actual, double expected, int bits) {
        if (Double.compare(actual, expected) != 0) {
            assertThat((double) actual).as("bits %04x", bits).isEqualTo(expected);
        }
    }

    @Test
    void allTypesDecodeToBothPrecisions() {
        for (DType type : DType.values()) {
            Tensor doubles = Tensor.onHost(DType.F64, 2);
            Tensor floats = Tensor.onHost(DType.F32, 2);

            Values.decode(oneAndMinusHalf(type), type, doubles.doubles());
            Values.decode(oneAndMinusHalf(type), type, floats.floats());

            assertThat(doubles.doubles().get(0)).isEqualTo(1);
            assertThat(doubles.doubles().get(1)).isEqualTo(-0.5);
            assertThat(floats.floats().get(0)).isEqualTo(1);
            assertThat(floats.floats().get(1)).isEqualTo(-0.5f);
        }
    }

    private static ByteBuffer oneAndMinusHalf(DType type) {
        ByteBuffer bytes = ByteBuffer.allocate(2 * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        switch (type) {
            case F64 -> bytes.putDouble(1).putDouble(-0.5);
            case F32 -> bytes.putFloat(1).putFloat(-0.5f);
            case F16 -> bytes.putShort((short) 0x3C00).putShort((short) 0xB800);
            case BF16 -> bytes.putShort((short) 0x3F80).putShort((short) 0xBF00);
        }
        return bytes.flip().order(ByteOrder.BIG_ENDIAN); // the order of the buffer must not matter
    }

    @Test
    void anotherNumberOfValuesIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Values.decode(
                        ByteBuffer.allocate(6),
                        DType.BF16,
                        Tensor.onHost(DType.F32, 4).floats()))
                .withMessageContaining("(6) bytes")
                .withMessageContaining("(4) values");
    }
}
