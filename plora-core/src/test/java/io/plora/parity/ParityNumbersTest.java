package io.plora.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

/** The pinned numbers stand in {@code parity_numbers.py} too. */
class ParityNumbersTest {

    private static final String KEY = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";

    @Test
    void hashesAreThePublishedOnes() {
        assertThat(ParityNumbers.fnv1a64("a")).isEqualTo(0xAF63DC4C8601EC8CL);
        assertThat(ParityNumbers.fnv1a64(KEY)).isEqualTo(0xB5A8E92F23457E3FL);
        assertThat(ParityNumbers.splitMix64(0)).isEqualTo(0xE220A8397B1DCDAFL);
    }

    @Test
    void initialValuesArePythonsToTheLastBit() {
        float[] values = ParityNumbers.initialA(KEY, 2, 128);
        assertThat(values).hasSize(256);
        assertThat(values[0]).isEqualTo((float) -0.04159458726644516);
        assertThat(values[1]).isEqualTo((float) 0.05426385626196861);
        assertThat(values[255]).isEqualTo((float) 0.0815420001745224);
    }

    @Test
    void initialBStaysWithinItsBound() {
        float[] values = ParityNumbers.initialB(KEY.replace("lora_A", "lora_B"), 128, 3);
        assertThat(values).hasSize(384);
        for (float value : values) {
            assertThat(value).isBetween(-0.02f, 0.02f);
        }
        assertThat(values).doesNotHaveDuplicates();
    }

    @Test
    void projectionsArePythons() {
        float[] vector = new float[100];
        for (int i = 0; i < vector.length; i++) {
            vector[i] = (i + 1) / 100f;
        }
        double[] projections = ParityNumbers.project(vector);
        assertThat(projections).hasSize(ParityNumbers.PROJECTIONS);
        assertThat(projections[0]).isEqualTo(-0.9, within(1e-6));
        assertThat(projections[1]).isEqualTo(4.28, within(1e-6));
        assertThat(projections[63]).isEqualTo(2.04, within(1e-6));
    }
}
