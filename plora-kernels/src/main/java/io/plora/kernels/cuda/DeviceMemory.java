package io.plora.kernels.cuda;

import io.plora.kernels.Arena;
import io.plora.kernels.DType;
import io.plora.kernels.Tensor;
import org.bytedeco.javacpp.Pointer;

/** The arena of one device and what is copied into and out of it, in the order of its stream. */
final class DeviceMemory {
    private final Nd4jDevice device;
    private final Pointer memory;
    private final Arena arena;
    private boolean closed;

    /** @throws OutOfMemoryError if the device does not have so many bytes */
    DeviceMemory(Nd4jDevice device, long bytes) {
        this.device = device;
        this.memory = allocate(device, bytes);
        this.arena = new Arena(memory, memory.address(), bytes);
    }

    private static Pointer allocate(Nd4jDevice device, long bytes) {
        try {
            return device.allocate(bytes);
        } catch (RuntimeException e) {
            OutOfMemoryError error = new OutOfMemoryError(
                    "The GPU (%s) has no (%d) bytes for an arena; (%d) are free. Maybe other processes use it, or give fewer bytes."
                            .formatted(device.name(), bytes, device.freeBytes()));
            error.initCause(e);
            throw error;
        }
    }

    Arena arena() {
        return arena;
    }

    /** The device's stream. */
    long stream() {
        if (closed) {
            throw new IllegalStateException("These kernels are closed.");
        }
        return device.stream();
    }

    /** Memory of no particular meaning. */
    Tensor take(long bytes) {
        return arena.allocate(DType.F32, (bytes + Float.BYTES - 1) / Float.BYTES);
    }

    /** Copies structures that native code has laid out; the host's memory may be reused on return. */
    Tensor upload(Pointer from, long count) {
        long bytes = count * from.sizeof();
        Tensor to = take(bytes);
        try {
            copyIn(to.address(), from.position(0).address(), bytes);
            return to;
        } catch (RuntimeException e) {
            arena.release(to);
            throw e;
        }
    }

    void copyIn(long to, long from, long bytes) {
        if (bytes > 0) {
            CudaLibrary.check(Plora.copy(to, from, bytes, stream()));
        }
    }

    /** Copies to the host and waits for it. */
    void copyOut(long to, long from, long bytes) {
        if (bytes > 0) {
            CudaLibrary.check(Plora.copy(to, from, bytes, stream()));
            synchronize();
        }
    }

    void synchronize() {
        CudaLibrary.check(Plora.synchronize(stream()));
    }

    void close() {
        closed = true;
        device.release(memory);
    }
}
