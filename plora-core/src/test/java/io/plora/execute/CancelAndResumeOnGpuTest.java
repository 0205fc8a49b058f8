package io.plora.execute;

import io.plora.train.Gpu;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;

/** As on the CPU. */
@Tag("gpu")
class CancelAndResumeOnGpuTest extends CancelAndResumeTest {

    @BeforeAll
    static void needsAGpu() {
        Gpu.assumeAvailable();
    }

    @Override
    ComputeDevice device() {
        return ComputeDevice.cuda(0, 1L << 30);
    }

    /** Passes of other sizes round bf16 elsewhere, and Adam's first steps take only the sign. */
    @Override
    double tolerance() {
        return 0.05;
    }
}
