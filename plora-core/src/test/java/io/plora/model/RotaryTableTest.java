package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.plora.model.RopeConfig.Llama3Scaling;
import org.junit.jupiter.api.Test;

class RotaryTableTest {
    private static final Llama3Scaling LLAMA_3_1 = new Llama3Scaling(8, 1, 4, 8192);

    @Test
    void angleIsPositionTimesAPowerOfTheta() {
        float[] table = RotaryTable.of(new RopeConfig(10000, null), 4, 4);
        // theta^0 = 1 and theta^(-2/4) = 0.01
        double[][] angles = {{0, 0}, {1, 0.01}, {2, 0.02}, {3, 0.03}};
        for (int position = 0; position < 4; position++) {
            for (int i = 0; i < 2; i++) {
                double angle = angles[position][i];
                assertThat(table[position * 4 + i]).isCloseTo((float) Math.cos(angle), within(1e-7f));
                assertThat(table[position * 4 + 2 + i]).isCloseTo((float) Math.sin(angle), within(1e-7f));
            }
        }
    }

    @Test
    void llama3KeepsShortWavelengthsAndDividesLongOnes() {
        RopeConfig rope = new RopeConfig(500000, LLAMA_3_1);
        float[] plain = RotaryTable.of(new RopeConfig(500000, null), 2, 128);
        float[] scaled = RotaryTable.of(rope, 2, 128);
        assertThat(angle(scaled, 128, 0)).as("wavelength 6.3, kept").isEqualTo(angle(plain, 128, 0));
        assertThat(angle(scaled, 128, 63))
                .as("wavelength 2.6 million, divided by 8")
                .isCloseTo(angle(plain, 128, 63) / 8, within(1e-12));
    }

    /** At 500000^(-2 i / 128), i = 30, the wavelength is 2948.3; smooth factor (8192 / 2948.3 - 1) / 3 = 0.59285. */
    @Test
    void llama3InterpolatesBetween() {
        double frequency = Math.pow(500000, -60.0 / 128);
        float[] scaled = RotaryTable.of(new RopeConfig(500000, LLAMA_3_1), 2, 128);
        assertThat(angle(scaled, 128, 30)).isCloseTo(0.40715 * frequency / 8 + 0.59285 * frequency, within(1e-8));
    }

    /** In terms of wavelengths, and as one clamped interpolation instead of three cases. */
    @Test
    void llama3AgreesWithAnIndependentFormula() {
        Llama3Scaling scaling = new Llama3Scaling(32, 1, 4, 256);
        int headSize = 64;
        float[] table = RotaryTable.of(new RopeConfig(10000, scaling), 50, headSize);
        for (int i = 0; i < headSize / 2; i++) {
            double wavelength = 2 * Math.PI * Math.pow(10000, 2.0 * i / headSize);
            double weight = Math.min(1, Math.max(0, (256 / wavelength - 1) / (4 - 1)));
            double frequency = 2 * Math.PI / wavelength * (weight + (1 - weight) / 32);
            for (int position = 0; position < 50; position++) {
                double angle = position * frequency;
                assertThat((double) table[position * headSize + i]).isCloseTo(Math.cos(angle), within(5e-6));
                assertThat((double) table[position * headSize + headSize / 2 + i])
                        .isCloseTo(Math.sin(angle), within(5e-6));
            }
        }
    }

    /** The angle of a pair at position 1. */
    private static double angle(float[] table, int headSize, int pair) {
        return Math.atan2(table[headSize + headSize / 2 + pair], table[headSize + pair]);
    }
}
