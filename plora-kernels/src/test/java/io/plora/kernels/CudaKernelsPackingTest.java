package io.plora.kernels;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;

@Tag("gpu")
class CudaKernelsPackingTest extends KernelsPackingTest {

    @BeforeAll
    static void needsAGpu() {
        Gpu.assumeAvailable();
    }

    @Override
    Kernels kernels() {
        return Gpu.kernels();
    }

    /** Activations between two operations are rounded to bf16, by up to 2^-9. */
    @Override
    double tolerance() {
        return 2e-2;
    }

    @Override
    double exactTolerance() {
        return 1e-4;
    }
}
