package io.plora.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Copies between tensors and arrays through a small buffer: an array may hold more than 2 GiB, a buffer does not, and large
 * adapters do (rank 256 on all projections of a model with 7 billion parameters).
 */
final class HostTransfer {
    /** Values in flight. */
    static final int CHUNK = 1 << 20;

    private HostTransfer() {}

    static void read(Kernels kernels, Tensor from, float[] values) {
        ByteBuffer buffer = buffer(values.length);
        Tensor flat = from.view(0, values.length);
        int count;
        for (int start = 0; start < values.length; start += count) {
            count = Math.min(CHUNK, values.length - start);
            kernels.read(flat.rows(start, start + count), buffer.clear());
            buffer.flip().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values, start, count);
        }
    }

    static void write(Kernels kernels, Tensor to, float[] values) {
        if (to.size() != values.length) {
            throw new IllegalArgumentException("(%d) values do not fill (%s).".formatted(values.length, to));
        }
        ByteBuffer buffer = buffer(values.length);
        Tensor flat = to.view(0, values.length);
        int count;
        for (int start = 0; start < values.length; start += count) {
            count = Math.min(CHUNK, values.length - start);
            buffer.clear().limit(count * Float.BYTES);
            buffer.asFloatBuffer().put(values, start, count);
            kernels.write(flat.rows(start, start + count), buffer, DType.F32);
        }
    }

    private static ByteBuffer buffer(int values) {
        return ByteBuffer.allocateDirect(Math.min(CHUNK, values) * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }
}
