package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class NonNegativeLeastSquaresTest {
    private static final int VALUES = 5;

    static LongStream seeds() {
        return LongStream.range(0, 30);
    }

    /** Features of which some are nearly multiples of others, and in every second case as many rows as values or fewer. */
    private static double[][] features(Random random, int rows) {
        double[][] features = new double[rows][VALUES];
        for (double[] row : features) {
            for (int i = 0; i < VALUES; i++) {
                row[i] = i > 1 && random.nextBoolean()
                        ? row[0] * (1 + 0.01 * random.nextGaussian())
                        : random.nextDouble();
            }
        }
        return features;
    }

    private static double[] gradient(
            double[][] features, double[] weights, double[] target, double[] ridge, double[] values) {
        double[] gradient = new double[VALUES];
        for (int i = 0; i < VALUES; i++) {
            gradient[i] = ridge[i] * (values[i] - target[i]);
        }
        for (int row = 0; row < features.length; row++) {
            double error = -1;
            for (int i = 0; i < VALUES; i++) {
                error += features[row][i] * values[i];
            }
            for (int i = 0; i < VALUES; i++) {
                gradient[i] += weights[row] * error * features[row][i];
            }
        }
        return gradient;
    }

    /** The conditions of Karush, Kuhn and Tucker, which tell the only minimum of a convex problem. */
    @ParameterizedTest
    @MethodSource("seeds")
    void noValueIsNegativeAndNoneCanImproveTheSum(long seed) {
        Random random = new Random(seed);
        double[][] features = features(random, 1 + random.nextInt(seed % 2 == 0 ? VALUES : 40));
        double[] weights = random.doubles(features.length).toArray();
        double[] target = random.doubles(VALUES, -1, 1).toArray();
        double[] ridge = random.doubles(VALUES, 1e-4, 1e-2).toArray();

        double[] values = NonNegativeLeastSquares.solve(features, weights, target, ridge);

        double[] gradient = gradient(features, weights, target, ridge, values);
        for (int i = 0; i < VALUES; i++) {
            assertThat(values[i]).isNotNegative();
            if (values[i] > 0) {
                assertThat(gradient[i]).isCloseTo(0, within(1e-9));
            } else {
                assertThat(gradient[i]).isGreaterThan(-1e-9);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void withoutRowsValuesAreTheTargetsThatAreNotNegative(long seed) {
        double[] target = new Random(seed).doubles(VALUES, -1, 1).toArray();
        double[] ridge = new double[VALUES];
        Arrays.fill(ridge, 0.01);

        double[] values = NonNegativeLeastSquares.solve(new double[0][], new double[0], target, ridge);

        assertThat(values)
                .containsExactly(
                        Arrays.stream(target).map(value -> Math.max(0, value)).toArray(), within(1e-12));
    }
}
