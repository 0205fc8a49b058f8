package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PairwiseSumTest {

    @Test
    void totalIsThatOfTheLatestNumbersHoweverTheyCameAbout() {
        Random random = new Random(4);
        for (int count : new int[] {1, 2, 3, 8, 33}) {
            PairwiseSum changed = new PairwiseSum(count);
            double[] numbers = new double[count];
            for (int i = 0; i < 200; i++) {
                int index = random.nextInt(count);
                numbers[index] = random.nextDouble() * Math.pow(10, random.nextInt(12));
                changed.set(index, numbers[index]);
            }
            PairwiseSum fresh = new PairwiseSum(count);
            for (int i = 0; i < count; i++) {
                fresh.set(i, numbers[i]);
            }

            assertThat(changed.total()).isEqualTo(fresh.total());
            assertThat(changed.total()).isCloseTo(Arrays.stream(numbers).sum(), within(1e-3));
        }
    }
}
