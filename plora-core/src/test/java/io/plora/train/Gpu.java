package io.plora.train;

import io.plora.kernels.Kernels;
import io.plora.kernels.cuda.CudaKernels;
import org.junit.jupiter.api.Assumptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** For tests that need a GPU. */
public final class Gpu {
    private static final Logger LOGGER = LoggerFactory.getLogger(Gpu.class);
    private static final long ARENA = 2L << 30;

    private Gpu() {}

    /** Skips the calling test where there is none, and says why. */
    public static void assumeAvailable() {
        CudaKernels.unavailableReason().ifPresent(reason -> {
            LOGGER.warn("Skipped, as it needs a GPU: {}", reason);
            Assumptions.abort(reason);
        });
    }

    /** Kernels on the first GPU; skips the calling test where there is none. */
    public static Kernels kernels() {
        assumeAvailable();
        return new CudaKernels(0, ARENA);
    }
}
