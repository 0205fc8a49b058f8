package io.plora.kernels.cpu;

/**
 * Sums and maxima over heap arrays. Several running values hide the latency of one addition after the other, in an order
 * that does not depend on threads.
 */
final class Reductions {
    private Reductions() {}

    static float sum(float[] x, int from, int count) {
        float sum0 = 0;
        float sum1 = 0;
        float sum2 = 0;
        float sum3 = 0;
        int end = from + count;
        int i = from;
        for (; i + 3 < end; i += 4) {
            sum0 += x[i];
            sum1 += x[i + 1];
            sum2 += x[i + 2];
            sum3 += x[i + 3];
        }
        for (; i < end; i++) {
            sum0 += x[i];
        }
        return (sum0 + sum1) + (sum2 + sum3);
    }

    static float dot(float[] x, int xFrom, float[] y, int yFrom, int count) {
        float sum0 = 0;
        float sum1 = 0;
        float sum2 = 0;
        float sum3 = 0;
        int i = 0;
        for (; i + 3 < count; i += 4) {
            sum0 += x[xFrom + i] * y[yFrom + i];
            sum1 += x[xFrom + i + 1] * y[yFrom + i + 1];
            sum2 += x[xFrom + i + 2] * y[yFrom + i + 2];
            sum3 += x[xFrom + i + 3] * y[yFrom + i + 3];
        }
        for (; i < count; i++) {
            sum0 += x[xFrom + i] * y[yFrom + i];
        }
        return (sum0 + sum1) + (sum2 + sum3);
    }

    /** In double precision, so that large values do not overflow. */
    static double sumOfSquares(float[] x, int count) {
        double sum0 = 0;
        double sum1 = 0;
        double sum2 = 0;
        double sum3 = 0;
        int i = 0;
        for (; i + 3 < count; i += 4) {
            sum0 += (double) x[i] * x[i];
            sum1 += (double) x[i + 1] * x[i + 1];
            sum2 += (double) x[i + 2] * x[i + 2];
            sum3 += (double) x[i + 3] * x[i + 3];
        }
        for (; i < count; i++) {
            sum0 += (double) x[i] * x[i];
        }
        return (sum0 + sum1) + (sum2 + sum3);
    }

    /** Ignores NaN. */
    static float max(float[] x, int from, int count) {
        float max = Float.NEGATIVE_INFINITY;
        for (int i = from; i < from + count; i++) {
            if (x[i] > max) {
                max = x[i];
            }
        }
        return max;
    }
}
