package io.plora.kernels.cuda;

import com.google.common.util.concurrent.Futures;
import io.plora.kernels.Arena;
import io.plora.kernels.DType;
import io.plora.kernels.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/** The arena of one device and what is copied into and out of it, in the order of its stream. */
final class DeviceMemory {
    private final Nd4jDevice device;
    private final Pointer memory;
    private final Arena arena;
    private BooleanSupplier spare = () -> false;
    private @Nullable LongSupplier recording; // tells the stream of a recording under way
    private final LateReads lateReads;
    private final EarlyReads earlyReads;
    private boolean closed;

    /** @throws OutOfMemoryError if the device does not have so many bytes */
    DeviceMemory(Nd4jDevice device, long bytes) {
        this.device = device;
        this.memory = allocate(device, bytes);
        this.arena = new Arena(memory, memory.address(), bytes);
        this.earlyReads = orRelease(() -> new EarlyReads(device), () -> {});
        this.lateReads = orRelease(() -> new LateReads(device), earlyReads::close);
    }

    /** Gives all back where something cannot be made. */
    private <T> T orRelease(Supplier<T> maker, Runnable release) {
        try {
            return maker.get();
        } catch (RuntimeException | Error e) {
            release.run();
            device.release(memory);
            throw e;
        }
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

    /** The device's stream, or that of a recording under way. */
    long stream() {
        long own = ownStream();
        return recording == null ? own : recording.getAsLong();
    }

    /** The device's stream. */
    long ownStream() {
        if (closed) {
            throw new IllegalStateException("These kernels are closed.");
        }
        return device.stream();
    }

    /** Until {@link #endRecording} each call goes to the stream that this tells, and nothing moves between host and device. */
    void recordOn(LongSupplier stream) {
        recording = stream;
    }

    void endRecording() {
        recording = null;
    }

    private void requireNoRecording() {
        if (recording != null) {
            throw new IllegalStateException("A pass that is recorded takes, copies or awaits something on its own.");
        }
    }

    /** @param spare lets go of memory that can be done without, and says whether there was any */
    void whenShort(BooleanSupplier spare) {
        this.spare = spare;
    }

    /**
     * Memory whose content is undefined. Where there is none it waits until {@link #readLater} needs none any more.
     *
     * @throws OutOfMemoryError if there is none, even without what can be done without
     */
    Tensor allocate(DType type, long... shape) {
        requireNoRecording();
        lateReads.takeRead(false).forEach(arena::release);
        try {
            return arena.allocate(type, shape);
        } catch (OutOfMemoryError e) {
            if (!letGo()) {
                throw e;
            }
            return arena.allocate(type, shape);
        }
    }

    private boolean letGo() {
        List<Tensor> read = lateReads.takeRead(true);
        read.forEach(arena::release);
        return spare.getAsBoolean() || !read.isEmpty();
    }

    /**
     * Values of a float32 tensor as they are now, read beside what the stream does from now on.
     *
     * @throws OutOfMemoryError if there is no room for a copy
     */
    Supplier<float[]> readLater(Tensor tensor) {
        if (tensor.bytes() <= EarlyReads.MOST) {
            Supplier<ByteBuffer> bytes = readEarly(tensor.address(), (int) tensor.bytes());
            return () -> floats(bytes.get());
        }
        Tensor copy = allocate(tensor.type(), tensor.size());
        try {
            copyIn(copy.address(), tensor.address(), tensor.bytes());
            Future<float[]> values = lateReads.read(copy, stream());
            return () -> Futures.getUnchecked(values);
        } catch (RuntimeException e) {
            arena.release(copy);
            throw e;
        }
    }

    private static float[] floats(ByteBuffer bytes) {
        float[] values = new float[bytes.remaining() / Float.BYTES];
        bytes.asFloatBuffer().get(values);
        return values;
    }

    /**
     * Bytes as they are now, in the order of this machine. Who wants them does not wait for what the stream does from now on; of more
     * than {@link EarlyReads#MOST}, this method waits instead.
     */
    Supplier<ByteBuffer> readEarly(long from, int bytes) {
        requireNoRecording();
        if (bytes <= EarlyReads.MOST) {
            return earlyReads.read(from, bytes, stream());
        }
        ByteBuffer read = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
        copyOut(new Pointer(read).address(), from, bytes);
        return () -> read;
    }

    /** Memory of no particular meaning. */
    Tensor take(long bytes) {
        return allocate(DType.F32, (bytes + Float.BYTES - 1) / Float.BYTES);
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

    /** Copies from the host or the device, in the order of the stream; on return the host's memory may be reused. */
    void copyIn(long to, long from, long bytes) {
        requireNoRecording();
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
        requireNoRecording();
        CudaLibrary.check(Plora.synchronize(stream()));
    }

    void close() {
        closed = true;
        try {
            lateReads.close();
            earlyReads.close();
        } finally {
            device.release(memory);
        }
    }
}
