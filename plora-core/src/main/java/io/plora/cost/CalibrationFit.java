package io.plora.cost;

import com.google.common.math.Quantiles;
import java.util.Arrays;
import java.util.List;

/**
 * Fits a factor for each part of the time and a constant to measured iterations: with parts c and measured seconds m
 *
 * <pre>min over theta >= 0, k >= 0 of
 * sum over rows of huber((theta . c + k u) / m - 1) + lambda (|theta - s|^2 + k^2)</pre>
 *
 * <p>Errors are relative, so that short iterations count like long ones, squared up to a tenth or three times the median error
 * and linear beyond (Huber 1964, by weights that follow the errors for a few rounds), so that an iteration that something else
 * delayed spoils nothing. The ridge keeps what the rows do not tell where it was: at s, the one factor that fits all parts best,
 * itself held near 1. u is the mean of the measured seconds. With given weights the problem is strictly convex; descent along one
 * coordinate at a time ends at its only minimum.
 */
final class CalibrationFit {
    /** Variance of a measured iteration (5% squared) over that of a factor (30% squared). */
    private static final double RIDGE = 0.03;

    /** Relative errors up to this never count as those of an outlier. */
    private static final double OUTLIER = 0.1;

    private static final int ROUNDS = 5;
    private static final int MAX_SWEEPS = 10_000;
    private static final double TOLERANCE = 1e-12;

    private CalibrationFit() {}

    /** Factors of the parts in order, then the constant in seconds. */
    static double[] fit(List<MeasuredIteration> rows, PartedTime prior) {
        double unit =
                rows.stream().mapToDouble(MeasuredIteration::seconds).average().orElse(1);
        double[][] features =
                rows.stream().map(row -> features(row, prior, unit)).toArray(double[][]::new);
        double[] weights = new double[rows.size()];
        Arrays.fill(weights, 1);
        double[] fitted = fit(features, weights);
        for (int round = 1; round < ROUNDS; round++) {
            fitted = fit(features, weights(features, fitted));
        }
        fitted[IterationParts.COUNT] *= unit;
        return fitted;
    }

    /** Errors count by their size, not its square, beyond a tenth and three times the median: few rows are no outliers. */
    private static double[] weights(double[][] features, double[] fitted) {
        double[] errors = Arrays.stream(features)
                .mapToDouble(row -> Math.abs(predicted(row, fitted) - 1))
                .toArray();
        double outlier = errors.length == 0
                ? OUTLIER
                : Math.max(OUTLIER, 3 * Quantiles.median().compute(errors));
        return Arrays.stream(errors).map(error -> Math.min(1, outlier / error)).toArray();
    }

    /** By weighted squares. */
    private static double[] fit(double[][] features, double[] weights) {
        double[] target = new double[IterationParts.COUNT + 1];
        Arrays.fill(target, 0, IterationParts.COUNT, commonFactor(features, weights));
        return minimise(features, weights, target);
    }

    /** Over the measured seconds. */
    private static double predicted(double[] features, double[] fitted) {
        double sum = 0;
        for (int i = 0; i < features.length; i++) {
            sum += features[i] * fitted[i];
        }
        return sum;
    }

    /** Parts and constant, relative to the measured seconds. */
    private static double[] features(MeasuredIteration row, PartedTime prior, double unit) {
        double[] features = Arrays.copyOf(prior.parts(row.work(), row.degree()).values(), IterationParts.COUNT + 1);
        features[IterationParts.COUNT] = unit;
        for (int i = 0; i < features.length; i++) {
            features[i] /= row.seconds();
        }
        return features;
    }

    private static double commonFactor(double[][] features, double[] weights) {
        double numerator = RIDGE;
        double denominator = RIDGE;
        for (int i = 0; i < features.length; i++) {
            double predicted =
                    Arrays.stream(features[i], 0, IterationParts.COUNT).sum();
            numerator += weights[i] * predicted;
            denominator += weights[i] * predicted * predicted;
        }
        return numerator / denominator;
    }

    private static double[] minimise(double[][] features, double[] weights, double[] target) {
        int size = target.length;
        double[][] normal = new double[size][size];
        double[] right = new double[size];
        for (int i = 0; i < size; i++) {
            normal[i][i] = RIDGE;
            right[i] = RIDGE * target[i];
            for (int row = 0; row < features.length; row++) {
                double weighted = weights[row] * features[row][i];
                right[i] += weighted;
                for (int j = 0; j < size; j++) {
                    normal[i][j] += weighted * features[row][j];
                }
            }
        }
        double[] values = target.clone();
        int sweep = 0;
        while (sweep < MAX_SWEEPS && descend(normal, right, values) > TOLERANCE) {
            sweep++;
        }
        return values;
    }

    /** Minimises along each coordinate once; the largest change. */
    private static double descend(double[][] normal, double[] right, double[] values) {
        double largest = 0;
        for (int i = 0; i < values.length; i++) {
            double rest = right[i];
            for (int j = 0; j < values.length; j++) {
                rest -= j == i ? 0 : normal[i][j] * values[j];
            }
            double value = Math.max(0, rest / normal[i][i]);
            largest = Math.max(largest, Math.abs(value - values[i]));
            values[i] = value;
        }
        return largest;
    }
}
