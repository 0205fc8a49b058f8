package io.plora.examples.benchmark;

import io.plora.kernels.Kernels;
import io.plora.kernels.cuda.CudaKernels;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;

/** Memory that kernels have held. */
final class PeakMemory {
    private PeakMemory() {}

    /** What was held before does not count any more. */
    static void restart(Kernels kernels) {
        if (kernels instanceof CudaKernels cuda) {
            cuda.restartPeak();
        }
    }

    /**
     * On a GPU the most bytes that were taken at once, without the driver's own; on the CPU the bytes of direct buffers that
     * the garbage collector has not taken yet.
     */
    static long bytes(Kernels kernels) {
        if (kernels instanceof CudaKernels cuda) {
            return cuda.peakBytes();
        }
        return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                .filter(pool -> pool.getName().equals("direct"))
                .mapToLong(BufferPoolMXBean::getMemoryUsed)
                .sum();
    }
}
