package io.plora.cost;

/**
 * Least squares for values that are not negative, some of which follow from few rows: with features f and weight w of each row,
 * target t and ridge r
 *
 * <pre>
 * min over x >= 0 of  sum over rows of w (1 - f . x)^2 + sum of r (x - t)^2</pre>
 *
 * <p>By active sets (Lawson and Hanson 1974) on the normal equations (Bro and de Jong 1997), which are small: exact after some
 * ten steps, however much alike the features are.
 */
final class NonNegativeLeastSquares {
    private static final double TOLERANCE = 1e-12;
    private static final int STEPS_OF_A_VALUE = 10;

    private final double[][] normal;
    private final double[] right;
    private final boolean[] free; // values that are not held at zero
    private double[] values;

    private NonNegativeLeastSquares(double[][] normal, double[] right) {
        this.normal = normal;
        this.right = right;
        free = new boolean[right.length];
        values = new double[right.length];
    }

    /** @param ridge positive */
    static double[] solve(double[][] features, double[] weights, double[] target, double[] ridge) {
        int size = target.length;
        double[][] normal = new double[size][size];
        double[] right = new double[size];
        for (int row = 0; row < features.length; row++) {
            for (int i = 0; i < size; i++) {
                double weighted = weights[row] * features[row][i];
                right[i] += weighted;
                for (int j = 0; j <= i; j++) {
                    normal[i][j] += weighted * features[row][j];
                }
            }
        }
        for (int i = 0; i < size; i++) {
            normal[i][i] += ridge[i];
            right[i] += ridge[i] * target[i];
            for (int j = 0; j < i; j++) {
                normal[j][i] = normal[i][j];
            }
        }
        return new NonNegativeLeastSquares(normal, right).solve();
    }

    private double[] solve() {
        for (int step = 0; step < STEPS_OF_A_VALUE * right.length; step++) {
            int steepest = steepest();
            if (steepest < 0) {
                break;
            }
            free[steepest] = true;
            double[] best = minimum();
            while (towards(best)) {
                best = minimum();
            }
            values = best;
        }
        return values;
    }

    /** The held value by which the sum falls most as it grows, or -1 if it falls by none. */
    private int steepest() {
        int steepest = -1;
        double most = TOLERANCE;
        for (int i = 0; i < values.length; i++) {
            double descent = right[i];
            for (int j = 0; j < values.length; j++) {
                descent -= normal[i][j] * values[j];
            }
            descent /= normal[i][i];
            if (!free[i] && descent > most) {
                steepest = i;
                most = descent;
            }
        }
        return steepest;
    }

    /** Goes as far as no value becomes negative, and holds those that end at zero; whether there were any. */
    private boolean towards(double[] best) {
        double part = 1;
        for (int i = 0; i < values.length; i++) {
            if (free[i] && best[i] <= 0) {
                part = values[i] == 0 ? 0 : Math.min(part, values[i] / (values[i] - best[i]));
            }
        }
        if (part == 1) {
            return false;
        }
        for (int i = 0; i < values.length; i++) {
            values[i] += part * (best[i] - values[i]);
            if (free[i] && best[i] <= 0 && values[i] <= TOLERANCE) {
                values[i] = 0;
                free[i] = false;
            }
        }
        return true;
    }

    /** The minimum with some values held at zero, whatever the signs of the others: Cholesky's decomposition of their rows. */
    private double[] minimum() {
        int size = right.length;
        double[][] lower = new double[size][size];
        double[] solution = new double[size];
        for (int i = 0; i < size; i++) {
            if (!free[i]) {
                continue;
            }
            for (int j = 0; j <= i; j++) {
                if (free[j]) {
                    double rest = normal[i][j] - dot(lower[i], lower[j], j);
                    lower[i][j] = i == j ? Math.sqrt(rest) : rest / lower[j][j];
                }
            }
            solution[i] = (right[i] - dot(lower[i], solution, i)) / lower[i][i];
        }
        for (int i = size - 1; i >= 0; i--) {
            if (free[i]) {
                for (int j = i + 1; j < size; j++) {
                    solution[i] -= lower[j][i] * solution[j];
                }
                solution[i] /= lower[i][i];
            }
        }
        return solution;
    }

    private static double dot(double[] left, double[] right, int count) {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += left[i] * right[i];
        }
        return sum;
    }
}
