package io.plora.execute;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.Bytes;
import io.plora.cost.DeviceSpec;
import io.plora.cost.MemoryModel;
import io.plora.cost.PartedTime;
import io.plora.cost.RooflineTime;
import io.plora.cost.WeightFormat;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.cuda.CudaKernels;
import io.plora.model.ModelConfig;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A GPU, with the memory that one arena takes of it. */
record CudaDevice(int number, String model, long memoryBytes) implements ComputeDevice {
    private static final Logger LOGGER = LoggerFactory.getLogger(CudaDevice.class);

    /** Beside the logits: cuBLAS's workspace, gathered rows of the loss, what kernels are told about adapters and batch. */
    private static final long WORKSPACE_BYTES = 64L << 20;

    private static final long LIBRARY_BYTES = 256L << 20;

    @Override
    public String name() {
        return "GPU %d (%s)".formatted(number, model);
    }

    @Override
    public DType activationType() {
        return DType.BF16;
    }

    @Override
    public DType parameterType() {
        return DType.F32;
    }

    @Override
    public int lossChunkRows(int vocabularySize) {
        return CudaKernels.lossChunkRows(vocabularySize);
    }

    @Override
    public MemoryModel memory(ModelConfig shape) {
        return ComputeDevice.super.memory(shape).withWorkspaceBytes(WORKSPACE_BYTES);
    }

    @Override
    public PartedTime time(ModelConfig shape, ActivationPolicy policy) {
        return new RooflineTime(shape, DeviceSpec.like(model, memoryBytes), WeightFormat.PLAIN, policy);
    }

    @Override
    public boolean stepsLater() {
        return true;
    }

    @Override
    public ComputeDevice now() {
        long free = CudaKernels.freeBytes(number);
        return free >= memoryBytes ? this : withLeft(usable(free));
    }

    private CudaDevice withLeft(long bytes) {
        LOGGER.warn(
                "{} has only {} of {} left, as something else or this process uses it; the sweep goes on with these.",
                name(),
                Bytes.toText(bytes),
                Bytes.toText(memoryBytes));
        return new CudaDevice(number, model, bytes);
    }

    /** Where another process has taken memory meanwhile, with what is left: passes are smaller then. */
    @Override
    public Kernels open() {
        try {
            return new CudaKernels(number, memoryBytes);
        } catch (OutOfMemoryError e) {
            long left = usable(CudaKernels.freeBytes(number));
            if (left >= memoryBytes) {
                throw e; // it is not the GPU that has too little
            }
            return new CudaKernels(number, withLeft(left).memoryBytes());
        }
    }

    /** What an arena may take of free memory: libraries take some later, cuBLAS for its handle and as it first uses a kernel. */
    static long usable(long freeBytes) {
        return freeBytes - Math.max(freeBytes / 32, Math.min(freeBytes / 2, LIBRARY_BYTES));
    }
}
