package io.plora.cost;

import com.google.common.math.Quantiles;
import com.google.common.primitives.ImmutableDoubleArray;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Fits a factor for each part of the time and a constant to measured iterations: with the device's parts c, the host's part h
 * and measured seconds m
 *
 * <pre>
 * min over theta, eta, k >= 0 of
 * sum over rows of rho(1 - t / m) + (0.3 / d)^2 (|theta - s|^2 + (eta - r)^2 + 11 (k - l)^2)
 * t = max(theta . c, eta h) + k u</pre>
 *
 * <p>Errors are relative, so that short iterations count like long ones. Whatever else happens delays an iteration and makes
 * none faster (a library loads a kernel, the JVM compiles, another process computes): rho is squared for small errors, linear
 * for large ones of iterations that were faster than predicted (Huber 1964), and nearly constant for large delays. Small are
 * errors up to a tenth, or twice the lower quartile: where most rows are far off it is the prior that errs.
 *
 * <p>The ridge keeps what the rows do not tell where it was: at s, r and l, which fit best if all parts of the device have the
 * same factor; these are themselves held near 1, 1 and 0, s and r by the {@link PartedTime#machineUncertainty} or, where they
 * are further off all the same, by as much as that. d is the {@link PartedTime#uncertainty}, u the mean of the measured seconds.
 *
 * <p>Weights of rows, and whether they wait for host or device, follow the fit for some rounds. With these given the problem is
 * strictly convex and has one minimum, see {@link NonNegativeLeastSquares}. As the rounds end at one of several minima,
 * they start twice: from all rows alike, and from rows that are no slower than the fastest quarter, by the prior's proportions.
 */
final class CalibrationFit {
    /**
     * Standard deviation of an iteration from the best fit, for which rows count as if they were independent: ten iterations of a
     * group tell as much as one of 0.1, as a model misses alike ones by the same.
     */
    private static final double NOISE = 0.3;

    /** Standard deviation of the constant, of the mean iteration, over that of a part's factor. */
    private static final double UNFORESEEN = 0.3;

    /** Relative errors up to this never count as those of an outlier. */
    private static final double OUTLIER = 0.1;

    /** Likewise errors up to so many times the lower quartile of all. */
    private static final double QUARTILES = 2;

    private static final int HOST = IterationParts.DEVICE;
    private static final int CONSTANT = IterationParts.COUNT;
    private static final int ROUNDS = 10;
    private static final double CONVERGED = 1e-6;

    private final double[][] features; // of each row parts and constant, relative to the measured seconds
    private final double unit; // of the constant, in seconds
    private final double uncertainty;
    private final double machineUncertainty;
    private final double[] fitted;

    /** @param start factors and constant from which another fit to nearly these rows is near; null where there is none */
    private CalibrationFit(
            double[][] features,
            double unit,
            double uncertainty,
            double machineUncertainty,
            double @Nullable [] start) {
        this.features = features;
        this.unit = unit;
        this.uncertainty = uncertainty;
        this.machineUncertainty = machineUncertainty;
        fitted = start == null ? fit() : fit(start, weights(delays(start)));
    }

    static CalibrationFit of(List<MeasuredIteration> rows, PartedTime prior) {
        double unit =
                rows.stream().mapToDouble(MeasuredIteration::seconds).average().orElse(1);
        double[][] features =
                rows.stream().map(row -> features(row, prior, unit)).toArray(double[][]::new);
        return new CalibrationFit(features, unit, prior.uncertainty(), prior.machineUncertainty(), null);
    }

    /** Of the parts, in order. */
    ImmutableDoubleArray factors() {
        return ImmutableDoubleArray.copyOf(fitted)
                .subArray(0, IterationParts.COUNT)
                .trimmed();
    }

    double fixedSeconds() {
        return fitted[CONSTANT] * unit;
    }

    /** By how much the prediction of each row by a fit to the others differs from what was measured, relative to that. */
    double[] heldOutErrors() {
        return IntStream.range(0, features.length)
                .mapToDouble(row -> {
                    double[] predicted = without(row).fitted;
                    return Math.abs(seconds(features[row], features[row][CONSTANT], predicted) - 1);
                })
                .toArray();
    }

    private CalibrationFit without(int row) {
        double[][] others = IntStream.range(0, features.length)
                .filter(other -> other != row)
                .mapToObj(other -> features[other])
                .toArray(double[][]::new);
        return new CalibrationFit(others, unit, uncertainty, machineUncertainty, fitted);
    }

    private double[] fit() {
        double[] all = fit(atFactor(1), weights(new double[features.length]));
        double[] fastest = atFactor(fastest());
        double[] some = fit(fastest, weights(delays(fastest)));
        return missed(some) < missed(all) ? some : all;
    }

    /** Time of parts by their factors and a constant of so many units, in whatever the parts and the unit are measured. */
    private static double seconds(double[] parts, double unit, double[] fitted) {
        double device = 0;
        for (int i = 0; i < HOST; i++) {
            device += fitted[i] * parts[i];
        }
        return Math.max(device, fitted[HOST] * parts[HOST]) + fitted[CONSTANT] * unit;
    }

    /** Parts and constant, relative to the measured seconds. */
    private static double[] features(MeasuredIteration row, PartedTime prior, double unit) {
        double[] features = Arrays.copyOf(prior.parts(row.work(), row.degree()).values(), CONSTANT + 1);
        features[CONSTANT] = unit;
        for (int i = 0; i < features.length; i++) {
            features[i] /= row.seconds();
        }
        return features;
    }

    private static double[] atFactor(double factor) {
        double[] fitted = new double[CONSTANT + 1];
        Arrays.fill(fitted, 0, IterationParts.COUNT, factor);
        return fitted;
    }

    /** Factor by which a quarter of the rows is faster than predicted. */
    private double fastest() {
        double[] factors = Arrays.stream(features)
                .mapToDouble(row -> 1 / seconds(row, row[CONSTANT], atFactor(1)))
                .toArray();
        return factors.length == 0 ? 1 : Quantiles.quartiles().index(1).compute(factors);
    }

    /** Shares of the measured times that are not predicted; negative where an iteration was faster than predicted. */
    private double[] delays(double[] fitted) {
        return Arrays.stream(features)
                .mapToDouble(row -> 1 - seconds(row, row[CONSTANT], fitted))
                .toArray();
    }

    private double missed(double[] fitted) {
        return Arrays.stream(delays(fitted))
                .map(delay -> Math.min(Math.abs(delay), OUTLIER))
                .sum();
    }

    private static double[] weights(double[] delays) {
        double[] errors = Arrays.stream(delays).map(Math::abs).toArray();
        double small = errors.length == 0
                ? OUTLIER
                : Math.max(OUTLIER, QUARTILES * Quantiles.quartiles().index(1).compute(errors));
        return Arrays.stream(delays)
                .map(delay -> delay > small ? Math.pow(small / delay, 4) : Math.min(1, small / Math.abs(delay)))
                .toArray();
    }

    private double[] fit(double[] start, double[] weights) {
        double[] now = start;
        double[] weightsNow = weights;
        for (int round = 0; round < ROUNDS; round++) {
            double[] before = now;
            now = minimise(counting(now), weightsNow);
            weightsNow = weights(delays(now));
            if (isSame(before, now)) {
                break;
            }
        }
        return now;
    }

    private static boolean isSame(double[] fitted, double[] other) {
        return IntStream.range(0, fitted.length).allMatch(i -> Math.abs(fitted[i] - other[i]) < CONVERGED);
    }

    /** Of each row the parts of host or device, whichever it waits for, and the constant; the others are zero. */
    private double[][] counting(double[] fitted) {
        return Arrays.stream(features)
                .map(row -> {
                    double[] device = row.clone();
                    device[HOST] = 0;
                    double[] host = new double[row.length];
                    host[HOST] = row[HOST];
                    host[CONSTANT] = row[CONSTANT];
                    return seconds(device, 0, fitted) < seconds(host, 0, fitted) ? host : device;
                })
                .toArray(double[][]::new);
    }

    /** By the rows' weights and the prior. */
    private double[] minimise(double[][] counting, double[] weights) {
        double[] target = common(counting, weights);
        double[] deviations = new double[CONSTANT + 1];
        Arrays.fill(deviations, uncertainty);
        deviations[CONSTANT] *= UNFORESEEN;
        return NonNegativeLeastSquares.solve(counting, weights, target, ridge(deviations));
    }

    /** The same factor for all parts of the device, one for the host, and the constant. */
    private double[] common(double[][] counting, double[] weights) {
        double[][] sums = Arrays.stream(counting)
                .map(row -> new double[] {Arrays.stream(row, 0, HOST).sum(), row[HOST], row[CONSTANT]})
                .toArray(double[][]::new);
        double[] fitted = {2, 2, 0}; // hardly held: to see how far off they are
        for (int i = 0; i < 2; i++) {
            fitted = NonNegativeLeastSquares.solve(
                    sums,
                    weights,
                    new double[] {1, 1, 0},
                    ridge(machine(fitted[0]), machine(fitted[1]), UNFORESEEN * uncertainty));
        }
        double[] common = atFactor(fitted[0]);
        common[HOST] = fitted[1];
        common[CONSTANT] = fitted[2];
        return common;
    }

    /** Standard deviation of a machine's factor from 1, if it seems to be this one. */
    private double machine(double factor) {
        return Math.max(machineUncertainty, Math.abs(factor - 1));
    }

    private static double[] ridge(double... deviations) {
        return Arrays.stream(deviations)
                .map(deviation -> Math.pow(NOISE / deviation, 2))
                .toArray();
    }
}
