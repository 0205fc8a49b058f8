package io.plora.kernels.cuda;

import java.util.Locale;
import java.util.Optional;
import java.util.Properties;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.nd4j.linalg.api.memory.enums.MemoryKind;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.nativeblas.NativeOps;
import org.nd4j.nativeblas.NativeOpsHolder;

/**
 * One GPU as ND4J's CUDA backend has it: its memory comes from ND4J's memory manager, work goes to the stream that ND4J uses on
 * the thread that made this object. That stream dies with the thread.
 */
final class Nd4jDevice {
    private final int number;
    private final Thread thread;
    private final long stream;

    /** Makes the calling thread use a device. */
    Nd4jDevice(int number) {
        int devices = Nd4j.getAffinityManager().getNumberOfDevices();
        if (number < 0 || number >= devices) {
            throw new IllegalArgumentException(
                    "There is no GPU (%d): ND4J sees (%d), counted from 0.".formatted(number, devices));
        }
        Nd4j.getAffinityManager().unsafeSetDevice(number);
        CudaLibrary.check(Plora.useDevice(number));
        this.number = number;
        this.thread = Thread.currentThread();
        NativeOps operations = NativeOpsHolder.getInstance().getDeviceNativeOps();
        Pointer pointerToStream = operations.lcExecutionStream(operations.defaultLaunchContext());
        this.stream = new PointerPointer<>(pointerToStream).get(0).address();
    }

    /** Why ND4J cannot use a GPU in this process, or empty where it can. */
    static Optional<String> unavailableReason() {
        try {
            Properties environment = Nd4j.getExecutioner().getEnvironmentInformation();
            String backend = String.valueOf(environment.getProperty("backend")).toUpperCase(Locale.ROOT);
            return backend.contains("CUDA")
                    ? Optional.empty()
                    : Optional.of(
                            ("ND4J computes on (%s) in this process. Maybe replace nd4j-native by nd4j-cuda on the "
                                            + "class path.")
                                    .formatted(backend));
        } catch (LinkageError | RuntimeException e) {
            return Optional.of("ND4J has no backend that works here: %s.".formatted(e));
        }
    }

    String name() {
        return NativeOpsHolder.getInstance().getDeviceNativeOps().getDeviceName(number);
    }

    /** Bytes that nobody has taken. */
    long freeBytes() {
        return NativeOpsHolder.getInstance().getDeviceNativeOps().getDeviceFreeMemory(number);
    }

    /** A cudaStream_t. */
    long stream() {
        if (Thread.currentThread() != thread) {
            throw new IllegalStateException("These kernels belong to thread (%s), but were called from (%s)."
                    .formatted(thread.getName(), Thread.currentThread().getName()));
        }
        return stream;
    }

    /** Device memory, uninitialised, until {@link #release}. */
    Pointer allocate(long bytes) {
        return Nd4j.getMemoryManager().allocate(bytes, MemoryKind.DEVICE, false);
    }

    void release(Pointer memory) {
        Nd4j.getMemoryManager().release(memory, MemoryKind.DEVICE);
    }
}
