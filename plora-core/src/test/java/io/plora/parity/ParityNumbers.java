package io.plora.parity;

import java.nio.charset.StandardCharsets;

/**
 * Numbers that Python and Java make alike, so that they need not be stored: initial A and B, and signs of projections.
 *
 * <p>The twin of {@code parity_numbers.py}, which says what they are for.
 */
public final class ParityNumbers {

    /** Projections of a vector. */
    public static final int PROJECTIONS = 64;

    private static final double BOUND_B = 0.02;

    private ParityNumbers() {}

    /** One output of Vigna's SplitMix64 for a counter. */
    static long splitMix64(long counter) {
        long z = counter + 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** FNV-1a of the UTF-8 bytes. */
    static long fnv1a64(String text) {
        long hash = 0xCBF29CE484222325L;
        for (byte value : text.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (value & 0xFF)) * 0x100000001B3L;
        }
        return hash;
    }

    /** Initial A, [rank, inputs], of a PEFT key. */
    public static float[] initialA(String key, int rank, int inputs) {
        return uniform(key, rank * inputs, 1 / Math.sqrt(inputs));
    }

    /** Initial B, [outputs, rank], of a PEFT key. */
    public static float[] initialB(String key, int outputs, int rank) {
        return uniform(key, outputs * rank, BOUND_B);
    }

    private static float[] uniform(String key, int size, double bound) {
        long seed = fnv1a64(key);
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) ((splitMix64(seed + i) >>> 40) * 0x1p-24 * 2 * bound - bound);
        }
        return values;
    }

    /** Sums of a vector's elements under {@value #PROJECTIONS} sets of random signs. */
    public static double[] project(float[] vector) {
        long seed = fnv1a64("projections");
        double[] sums = new double[PROJECTIONS];
        for (int i = 0; i < vector.length; i++) {
            long signs = splitMix64(seed + i);
            for (int k = 0; k < PROJECTIONS; k++) {
                sums[k] += (signs >>> k & 1) == 1 ? vector[i] : -vector[i];
            }
        }
        return sums;
    }
}
