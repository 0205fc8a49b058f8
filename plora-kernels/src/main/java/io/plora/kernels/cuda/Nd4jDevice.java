package io.plora.kernels.cuda;

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

    int number() {
        return number;
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

    /** Host memory that the GPU copies from and to while the host goes on, until {@link #releasePageLocked}. */
    Pointer allocatePageLocked(long bytes) {
        return Nd4j.getMemoryManager().allocate(bytes, MemoryKind.HOST, false);
    }

    void releasePageLocked(Pointer memory) {
        Nd4j.getMemoryManager().release(memory, MemoryKind.HOST);
    }
}
