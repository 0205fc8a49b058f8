package io.plora.train;

/** Norms of float vectors in double precision. */
final class Vectors {
    private Vectors() {}

    static double norm(float[] v) {
        double sum = 0;
        for (float x : v) {
            sum += (double) x * x;
        }
        return Math.sqrt(sum);
    }

    static float[] minus(float[] a, float[] b) {
        float[] difference = new float[a.length];
        for (int i = 0; i < a.length; i++) {
            difference[i] = a[i] - b[i];
        }
        return difference;
    }

    /** |actual - expected| / |expected|, or |actual| where nothing is expected. */
    static double relativeError(float[] actual, float[] expected) {
        double norm = norm(expected);
        double error = norm(minus(actual, expected));
        return norm == 0 ? error : error / norm;
    }

    /** The nearest value that bf16 holds, of two equally near ones that of larger magnitude. */
    static float bf16(float x) {
        return Float.intBitsToFloat((Float.floatToIntBits(x) + 0x8000) & 0xffff0000);
    }
}
