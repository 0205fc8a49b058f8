package io.plora.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReductionsTest {

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 255, 256, 257, 1000})
    void everyElementOfARangeCountsOnceAndNoOther(int count) {
        float[] x = new float[count + 5];
        Arrays.fill(x, Float.NaN);
        double sum = 0;
        double squares = 0;
        for (int i = 3; i < 3 + count; i++) {
            x[i] = i;
            sum += i;
            squares += (double) i * i;
        }

        assertThat((double) Reductions.sum(x, 3, count)).isCloseTo(sum, Percentage.withPercentage(1e-4));
        assertThat((double) Reductions.dot(x, 3, x, 3, count)).isCloseTo(squares, Percentage.withPercentage(1e-4));
        assertThat(Reductions.sumOfSquares(Arrays.copyOfRange(x, 3, 4 + count), count))
                .isCloseTo(squares, Percentage.withPercentage(1e-9));
        assertThat(Reductions.max(x, 3, count)).isEqualTo(count == 0 ? Float.NEGATIVE_INFINITY : count + 2);
    }

    /** A vocabulary's worth of probabilities: one running float32 would lose the small ones. */
    @Test
    void theErrorOfASumDoesNotGrowWithItsLength() {
        float[] x = new float[1 << 20];
        Random random = new Random(1);
        double expected = 0;
        for (int i = 0; i < x.length; i++) {
            x[i] = random.nextFloat();
            expected += x[i];
        }

        assertThat(Reductions.sum(x, 0, x.length) / expected).isCloseTo(1, within(1e-7));
    }

    @Test
    void squaresOfLargeGradientsDoNotOverflow() {
        for (int place = 0; place < 5; place++) {
            float[] x = new float[5];
            x[place] = 1e30f;

            assertThat(Reductions.sumOfSquares(x, 5)).isCloseTo(1e60, Percentage.withPercentage(1e-4));
        }
    }
}
