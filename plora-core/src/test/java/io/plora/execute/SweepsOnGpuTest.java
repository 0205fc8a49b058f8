package io.plora.execute;

import io.plora.train.Gpu;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;

/** Tests of sweeps on the CPU, run on a GPU. */
@Tag("gpu")
class SweepsOnGpuTest {
    /** Passes of other sizes round bf16 elsewhere, and Adam's first steps take only the sign. */
    private static final double TOLERANCE = 0.05;

    @BeforeAll
    static void needsAGpu() {
        Gpu.assumeAvailable();
    }

    private static ComputeDevice gpu() {
        return ComputeDevice.cuda(0, 1L << 30);
    }

    @Nested
    class FailureIsolation extends FailureIsolationTest {
        @Override
        ComputeDevice device() {
            return gpu();
        }

        @Override
        double tolerance() {
            return TOLERANCE;
        }
    }

    @Nested
    class CancelAndResume extends CancelAndResumeTest {
        @Override
        ComputeDevice device() {
            return gpu();
        }

        @Override
        double tolerance() {
            return TOLERANCE;
        }
    }

    @Nested
    class CalibratedSweep extends CalibratedSweepTest {
        @Override
        ComputeDevice device() {
            return gpu();
        }

        @Override
        double tolerance() {
            return TOLERANCE;
        }
    }
}
