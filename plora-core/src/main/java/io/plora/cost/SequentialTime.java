package io.plora.cost;

import io.plora.space.TargetModule;

/**
 * Sequential PLoRA: the same groups without packed kernels. The frozen products run once for all adapters, but each
 * low-rank product is started for each adapter and module on its own: {@code adapters x layers x 7 x 6} kernels an
 * iteration (S, Y; dB, dS, dA, dX), each taking at least {@code productSeconds} however few its rows.
 *
 * @param packed the same group with packed kernels
 * @param productSeconds shortest time of a small product
 */
public record SequentialTime(RooflineTime packed, double productSeconds) implements GroupTime {

    /**
     * In a captured graph on an H100, between 64 and 256 rows and at ranks 16 and 64: 5.7 microseconds; started one by
     * one from Python it was 28.
     */
    public static final double MEASURED_PRODUCT_SECONDS = 5.7e-6;

    private static final int PRODUCTS_OF_A_TERM = 6;

    public SequentialTime {
        if (!(productSeconds >= 0)) {
            throw new IllegalArgumentException(
                    "productSeconds (%s) must be zero or positive.".formatted(productSeconds));
        }
    }

    /** With {@link #MEASURED_PRODUCT_SECONDS}. */
    public SequentialTime(RooflineTime packed) {
        this(packed, MEASURED_PRODUCT_SECONDS);
    }

    @Override
    public double seconds(GroupWork work, int degree) {
        IterationParts parts = packed.parts(work, degree);
        double products = work.adapters() * packed.model().layers() * TargetModule.values().length * PRODUCTS_OF_A_TERM;
        return parts.seconds() + Math.max(0, products * productSeconds - parts.lowRank());
    }

    @Override
    public SequentialTime bound() {
        return new SequentialTime(packed.bound(), productSeconds);
    }
}
