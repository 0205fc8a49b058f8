package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DropoutTest {
    private static final int COLUMNS = 1 << 18;

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.01, 0.05, 0.5, 0.9})
    void theRateIsTheProbability(double probability) {
        int threshold = Dropout.threshold(probability);
        long key = Dropout.rowKey(7, 3, 0, 12, 5);

        double rate = rate(column -> Dropout.drops(key, 11, column, threshold));

        double deviation = Math.sqrt(probability * (1 - probability) / COLUMNS);
        assertThat(rate).isCloseTo(probability, within(5 * deviation + 1e-5));
    }

    @Test
    void keptValuesKeepTheMean() {
        assertThat(Dropout.keepScale(0.25) * 0.75).isCloseTo(1, within(1e-12));
        assertThat(Dropout.keepScale(0)).isEqualTo(1);
    }

    @Test
    void theThresholdIsTheNearestSixtyFourThousandth() {
        assertThat(Dropout.threshold(0.1)).isEqualTo(6554); // 6553.6
        assertThat(Dropout.threshold(0.05)).isEqualTo(3277); // 3276.8
        assertThat(Dropout.threshold(0.25)).isEqualTo(16384);
    }

    /** Another function would change what a resumed sweep computes, and implementations in other languages repeat it. */
    @Test
    void masksNeverChange() {
        long key = Dropout.rowKey(42, 7, 1, 12, 3);

        assertThat(key).isEqualTo(0xD06EB003D374EE6BL);
        assertThat(Dropout.bits(key, Dropout.columnKey(11, 5))).isEqualTo(0x7FDCAB864E98D3E7L);
        assertThat(Dropout.drops(key, 11, 20, 0xD3E8)).isTrue();
        assertThat(Dropout.drops(key, 11, 20, 0xD3E7)).isFalse();
        assertThat(Dropout.drops(key, 11, 23, 0x7FDD)).isTrue();
        assertThat(Dropout.drops(key, 11, 23, 0x7FDC)).isFalse();
    }

    @Test
    void everyPartOfAKeyGivesAnIndependentMask() {
        int threshold = Dropout.threshold(0.5);
        long key = Dropout.rowKey(7, 3, 1, 12, 5);
        long[] others = {
            Dropout.rowKey(8, 3, 1, 12, 5),
            Dropout.rowKey(7, 4, 1, 12, 5),
            Dropout.rowKey(7, 3, 2, 12, 5),
            Dropout.rowKey(7, 3, 1, 13, 5),
            Dropout.rowKey(7, 3, 1, 12, 6),
            Dropout.rowKey(7, 3, 2, 11, 5), // the next epoch's neighbour
            Dropout.rowKey(7, 3, 1, 11, 6)
        };

        for (long other : others) {
            assertIndependent(
                    column -> Dropout.drops(key, 1, column, threshold),
                    column -> Dropout.drops(other, 1, column, threshold));
        }
        assertIndependent(
                column -> Dropout.drops(key, 1, column, threshold), column -> Dropout.drops(key, 2, column, threshold));
        assertIndependent(
                column -> Dropout.drops(key, 1, column, threshold),
                column -> Dropout.drops(key, 1, column + 1, threshold));
    }

    /** Two fair masks agree on half of the columns. */
    private static void assertIndependent(IntPredicate first, IntPredicate second) {
        double agreement = rate(column -> first.test(column) == second.test(column));
        assertThat(agreement).isCloseTo(0.5, within(5 * 0.5 / Math.sqrt(COLUMNS)));
    }

    private static double rate(IntPredicate event) {
        return IntStream.range(0, COLUMNS).filter(event).count() / (double) COLUMNS;
    }
}
