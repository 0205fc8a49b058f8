package io.plora.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * A resolved slice of an arena: address, shape and element type, dense and row-major.
 *
 * <p>Views share the memory of the tensor they were made from and keep it reachable. A tensor in host memory also gives
 * its elements as a buffer; one in device memory has its address only.
 */
public final class Tensor {
    private final Object owner;
    private final DType type;
    private final long[] shape;
    private final long size;
    private final @Nullable ByteBuffer host;
    private final @Nullable FloatBuffer floats;
    private final @Nullable DoubleBuffer doubles;
    private long address;

    private Tensor(Object owner, long address, DType type, long[] shape, @Nullable ByteBuffer host) {
        this.owner = owner;
        this.address = address;
        this.type = type;
        this.shape = shape;
        this.size = size(shape);
        this.host = host;
        this.floats = host != null && type == DType.F32 ? host.asFloatBuffer() : null;
        this.doubles = host != null && type == DType.F64 ? host.asDoubleBuffer() : null;
    }

    /**
     * Allocates zeroed host memory.
     *
     * @throws IllegalArgumentException if the tensor exceeds 2 GiB, the limit of a Java buffer
     */
    public static Tensor onHost(DType type, long... shape) {
        long bytes = Math.multiplyExact(size(shape), type.bytes());
        if (bytes > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "A host tensor of shape (%s) and type (%s) needs %d bytes, more than 2 GiB."
                                    .formatted(Arrays.toString(shape), type, bytes)
                            + " Maybe use a smaller model or a smaller token budget on the CPU.");
        }
        ByteBuffer memory = ByteBuffer.allocateDirect((int) bytes).order(ByteOrder.nativeOrder());
        return ofHost(memory, type, shape);
    }

    /**
     * Wraps all remaining bytes of a direct buffer, in native byte order.
     *
     * @throws IllegalArgumentException if the buffer lies on Java's heap, where it has no address, or has another size
     */
    public static Tensor ofHost(ByteBuffer memory, DType type, long... shape) {
        if (!memory.isDirect()) {
            throw new IllegalArgumentException(
                    "Memory of shape (%s) lies on Java's heap. Maybe use ByteBuffer.allocateDirect."
                            .formatted(Arrays.toString(shape)));
        }
        requireSize(memory.remaining(), type, shape);
        ByteBuffer slice = memory.slice().order(ByteOrder.nativeOrder());
        return new Tensor(slice, 0, type, shape.clone(), slice);
    }

    /**
     * Names a slice of device memory.
     *
     * @param owner what keeps the memory allocated
     * @param address where the first element lies
     */
    public static Tensor onDevice(Object owner, long address, DType type, long... shape) {
        return new Tensor(owner, address, type, shape.clone(), null);
    }

    static long size(long[] shape) {
        long size = 1;
        for (long dimension : shape) {
            if (dimension < 0) {
                throw new IllegalArgumentException(
                        "Dimensions of a shape (%s) must not be negative.".formatted(Arrays.toString(shape)));
            }
            size = Math.multiplyExact(size, dimension);
        }
        return size;
    }

    private static void requireSize(long bytes, DType type, long[] shape) {
        if (size(shape) * type.bytes() != bytes) {
            throw new IllegalArgumentException("Memory of (%d) bytes does not hold shape (%s) of type (%s)."
                    .formatted(bytes, Arrays.toString(shape), type));
        }
    }

    /** Elements {@code offset ..} of this tensor in another shape, sharing memory. */
    public Tensor view(long offset, long... newShape) {
        long length = size(newShape);
        if (offset < 0 || offset > size - length) {
            throw new IndexOutOfBoundsException(
                    "Elements [%d, %d) of a tensor of (%d) elements.".formatted(offset, offset + length, size));
        }
        long byteOffset = offset * type.bytes();
        ByteBuffer slice = host == null
                ? null
                : host.slice((int) byteOffset, (int) (length * type.bytes())).order(ByteOrder.nativeOrder());
        long start = host == null ? address + byteOffset : 0;
        return new Tensor(owner, start, type, newShape.clone(), slice);
    }

    /** Rows {@code from .. to - 1} of the first dimension, sharing memory. */
    public Tensor rows(long from, long to) {
        long[] newShape = shape.clone();
        newShape[0] = to - from;
        return view(from * (size / Math.max(1, shape[0])), newShape);
    }

    /** What keeps the memory allocated. */
    Object owner() {
        return owner;
    }

    /** Where the first element lies. */
    public long address() {
        if (host != null && address == 0) {
            address = new Pointer(host).address(); // only here: plain Java does without the native library
        }
        return address;
    }

    public DType type() {
        return type;
    }

    /** Number of dimensions. */
    public int rank() {
        return shape.length;
    }

    public long dim(int axis) {
        return shape[axis];
    }

    public long[] shape() {
        return shape.clone();
    }

    /** Number of elements. */
    public long size() {
        return size;
    }

    public long bytes() {
        return size * type.bytes();
    }

    public boolean isOnHost() {
        return host != null;
    }

    /** The elements of a host tensor of type F32; the buffer's position is always 0: use absolute access. */
    public FloatBuffer floats() {
        if (floats == null) {
            throw notOnHostAs(DType.F32);
        }
        return floats;
    }

    /** The elements of a host tensor of type F64; the buffer's position is always 0: use absolute access. */
    public DoubleBuffer doubles() {
        if (doubles == null) {
            throw notOnHostAs(DType.F64);
        }
        return doubles;
    }

    private IllegalStateException notOnHostAs(DType wanted) {
        return new IllegalStateException("%s is no host tensor of type (%s).".formatted(this, wanted));
    }

    @Override
    public String toString() {
        return "Tensor(%s%s on %s)".formatted(type, Arrays.toString(shape), host == null ? "device" : "host");
    }
}
