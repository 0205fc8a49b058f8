package io.plora.kernels;

/**
 * Counter-based dropout: whether an element is dropped is a pure function of (seed, adapter, module, epoch, sample,
 * position, column), never of the packed row, so it does not depend on who is packed with whom or how a batch is split.
 *
 * <p>Mixing follows the finaliser of SplitMix64 (Steele, Lea, Flood 2014). Masks are drawn for four columns at once, 16 bits
 * each, so the probability is resolved to 2^-16.
 */
public final class Dropout {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private Dropout() {}

    /** Key of one row: everything the mask depends on but module and column. */
    public static long rowKey(long seed, long adapter, int epoch, int sample, int position) {
        long key = mix(seed + GOLDEN);
        key = mix(key ^ adapter);
        key = mix(key ^ (((long) epoch << 32) | (sample & 0xFFFFFFFFL)));
        return mix(key + GOLDEN * (position + 1));
    }

    /** Key of columns {@code 4 * quad .. 4 * quad + 3}: the same for all rows, so worth keeping for many. */
    public static long columnKey(int module, int quad) {
        return mix(((long) module << 32 | quad) + GOLDEN);
    }

    /** The 64 random bits of a row's four columns, 16 each from the lowest up. */
    public static long bits(long rowKey, long columnKey) {
        return mix(rowKey ^ columnKey);
    }

    /** An element is dropped where its 16 bits are below this: probability x 2^16, rounded. */
    public static int threshold(double probability) {
        return (int) Math.round(probability * 65536);
    }

    /** What a kept element is multiplied by: 1 / (1 - p), for the p that the threshold stands for. */
    public static double keepScale(double probability) {
        return 65536.0 / (65536 - threshold(probability));
    }

    /** Whether one element is dropped. */
    public static boolean drops(long rowKey, int module, int column, int threshold) {
        return ((bits(rowKey, columnKey(module, column >> 2)) >>> (16 * (column & 3))) & 0xFFFF) < threshold;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
