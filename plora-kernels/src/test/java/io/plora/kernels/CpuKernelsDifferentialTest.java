package io.plora.kernels;

import io.plora.kernels.cpu.CpuKernels;

class CpuKernelsDifferentialTest extends KernelsDifferentialTest {

    @Override
    Kernels kernels() {
        return new CpuKernels(3); // more threads than this test's pieces fill evenly
    }

    /** Sums of up to some thousand float32 products. */
    @Override
    double tolerance() {
        return 2e-5;
    }
}
