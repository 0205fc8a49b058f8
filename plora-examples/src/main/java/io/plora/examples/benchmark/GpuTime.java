package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.kernels.Kernels;
import io.plora.kernels.cuda.CudaKernels;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How much of timed steps a GPU is at work; nothing on the CPU. */
final class GpuTime {
    private final @Nullable CudaKernels kernels;
    private final boolean recorded;
    private int replayedBefore;

    /** @param recorded whether passes are recorded and replayed from now on */
    GpuTime(Kernels kernels, boolean recorded) {
        this.kernels = kernels instanceof CudaKernels cuda ? cuda : null;
        this.recorded = recorded;
        if (this.kernels != null) {
            this.kernels.setRecording(recorded);
        }
    }

    /** Time counts from now on. */
    void start() {
        if (kernels != null) {
            kernels.setTiming(recorded);
            replayedBefore = kernels.replayedPasses();
        }
    }

    /** Ends the measurement and adds what it says of all steps since the start. */
    void describe(ObjectNode row, List<Double> seconds) {
        if (kernels == null) {
            return;
        }
        boolean replayed = kernels.replayedPasses() > replayedBefore;
        row.put("recorded", replayed);
        if (replayed) {
            double all = seconds.stream().mapToDouble(s -> s).sum();
            row.put("idle", Math.round(1e4 * (1 - kernels.workSeconds() / all)) / 1e4);
        }
        kernels.setTiming(false);
    }
}
