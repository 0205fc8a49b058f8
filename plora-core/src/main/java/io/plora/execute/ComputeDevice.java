package io.plora.execute;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.MemoryModel;
import io.plora.cost.NominalTime;
import io.plora.cost.PartedTime;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.cpu.CpuKernels;
import io.plora.kernels.cuda.CudaKernels;
import io.plora.model.ModelConfig;
import java.lang.management.ManagementFactory;

/** Where a group of adapters can train. */
public interface ComputeDevice {

    /** In a few words, for a person. */
    String name();

    /** Memory that weights, activations and adapters may take, in bytes. */
    long memoryBytes();

    /** Type of frozen weights and activations. */
    DType activationType();

    /** Type of adapters, gradients and optimizer state. */
    DType parameterType();

    /** Rows of logits that the loss holds at once, for a model's number of tokens. */
    int lossChunkRows(int vocabularySize);

    /** What groups of a model's adapters cost here if all activations are kept. */
    default MemoryModel memory(ModelConfig model) {
        return new MemoryModel(model, activationType(), parameterType(), lossChunkRows(model.vocabularySize()));
    }

    /** How long iterations take here, before any is measured. */
    default PartedTime time(ModelConfig model, ActivationPolicy policy) {
        return new NominalTime(model, policy);
    }

    /** Whether an iteration ends before its optimizer steps are done, which the next one then waits for. */
    default boolean stepsLater() {
        return false;
    }

    /** This device with the memory that it has now, if others have taken some since it was made. */
    default ComputeDevice now() {
        return this;
    }

    /** Opens the device; the caller closes what it gets. */
    Kernels open();

    /**
     * This machine's processor, with all cores and as much memory as the JVM gives to direct buffers
     * ({@code -XX:MaxDirectMemorySize}, which defaults to the largest heap size).
     */
    static ComputeDevice cpu() {
        return cpu(Runtime.getRuntime().availableProcessors(), directMemory());
    }

    /** This machine's processor with a number of threads and a limit of memory. */
    static ComputeDevice cpu(int threads, long memoryBytes) {
        if (threads < 1 || memoryBytes < 1) {
            throw new IllegalArgumentException("A CPU device needs at least one thread (%d) and some memory (%d bytes)."
                    .formatted(threads, memoryBytes));
        }
        return new ComputeDevice() {
            @Override
            public String name() {
                return "CPU (%d threads)".formatted(threads);
            }

            @Override
            public long memoryBytes() {
                return memoryBytes;
            }

            @Override
            public DType activationType() {
                return DType.F32;
            }

            @Override
            public DType parameterType() {
                return DType.F32;
            }

            @Override
            public int lossChunkRows(int vocabularySize) {
                return CpuKernels.lossChunkRows(vocabularySize);
            }

            @Override
            public Kernels open() {
                return new CpuKernels(threads);
            }
        };
    }

    /**
     * A GPU, with nearly all of the memory that nobody else has taken.
     *
     * @param number counted from 0
     * @throws IllegalStateException if CUDA cannot be used here, saying why
     */
    static ComputeDevice cuda(int number) {
        return cuda(number, CudaDevice.usable(CudaKernels.freeBytes(number)));
    }

    /** A GPU with a limit of memory; that of its driver and of libraries comes on top. */
    static ComputeDevice cuda(int number, long memoryBytes) {
        return cuda(number, CudaKernels.deviceName(number), memoryBytes);
    }

    /**
     * A GPU that need not be here: a sweep can be planned for it. Only {@link #open} needs it.
     *
     * @param model what its driver calls it, such as {@code NVIDIA H100 80GB HBM3}
     */
    static ComputeDevice cuda(int number, String model, long memoryBytes) {
        return new CudaDevice(number, model, memoryBytes);
    }

    private static long directMemory() {
        HotSpotDiagnosticMXBean hotSpot = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        long configured = hotSpot == null
                ? 0
                : Long.parseLong(hotSpot.getVMOption("MaxDirectMemorySize").getValue());
        return configured > 0 ? configured : Runtime.getRuntime().maxMemory();
    }
}
