package io.plora.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ExponentialTest {
    private final Exponential exponential = new Exponential();

    @Test
    void theRelativeErrorIsBelowTwoInTenMillion() {
        int count = 500_001;
        float[] x = new float[count];
        for (int i = 0; i < count; i++) {
            x[i] = -87 + 175f * i / (count - 1);
        }
        float[] result = x.clone();

        exponential.apply(result, count);

        double worst = 0;
        for (int i = 0; i < count; i++) {
            worst = Math.max(worst, Math.abs(result[i] / Math.exp(x[i]) - 1));
        }
        assertThat(worst).isLessThan(2e-7);
    }

    @Test
    void zeroIsOneAndExtremesAreZeroOrFinite() {
        float[] x = {0, -0f, Float.NEGATIVE_INFINITY, -1000, 1000, Float.POSITIVE_INFINITY, Float.NaN};

        exponential.apply(x, x.length);

        assertThat(x[0]).isEqualTo(1);
        assertThat(x[1]).isEqualTo(1);
        assertThat(x[2]).isZero();
        assertThat(x[3]).isZero();
        assertThat(x[4]).isEqualTo(x[5]).isGreaterThan(1e38f).isFinite();
        assertThat(x[6]).isNaN();
    }

    @Test
    void onlyTheFirstElementsChange() {
        float[] x = {1, 1, 1};

        exponential.apply(x, 2);

        assertThat(x[2]).isEqualTo(1);
        assertThat(x[1]).isNotEqualTo(1);
    }
}
