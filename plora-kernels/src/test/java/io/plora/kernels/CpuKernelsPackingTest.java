package io.plora.kernels;

import io.plora.kernels.cpu.CpuKernels;

class CpuKernelsPackingTest extends KernelsPackingTest {

    @Override
    Kernels kernels() {
        return new CpuKernels(3);
    }

    @Override
    double tolerance() {
        return 2e-5;
    }
}
