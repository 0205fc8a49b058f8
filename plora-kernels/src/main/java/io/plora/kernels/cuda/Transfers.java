package io.plora.kernels.cuda;

import io.plora.kernels.DType;
import io.plora.kernels.Tensor;
import io.plora.kernels.Values;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.Pointer;

/** Values between host buffers and device tensors. What needs no conversion is copied as it is, from mapped files too. */
final class Transfers {
    /** Values converted at a time. */
    private static final int CHUNK = 1 << 20;

    private final DeviceMemory memory;
    private final ByteBuffer staging =
            ByteBuffer.allocateDirect(CHUNK * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private final long stagingAddress = new Pointer(staging).address();

    Transfers(DeviceMemory memory) {
        this.memory = memory;
    }

    /** Converts all remaining little-endian values. */
    void write(Tensor to, ByteBuffer from, DType fromType) {
        if (from.remaining() != to.size() * fromType.bytes()) {
            throw new IllegalArgumentException(
                    "(%d) bytes of type (%s) are not the values of (%s).".formatted(from.remaining(), fromType, to));
        }
        if (to.type() == fromType && from.isDirect()) {
            memory.copyIn(to.address(), new Pointer(from.slice()).address(), from.remaining());
            from.position(from.limit());
            return;
        }
        long address = to.address();
        while (from.hasRemaining()) {
            int count = Math.min(CHUNK, from.remaining() / fromType.bytes());
            ByteBuffer values =
                    from.slice().limit(count * fromType.bytes()).slice().order(ByteOrder.LITTLE_ENDIAN);
            convert(values, fromType, count, to.type());
            memory.copyIn(address, stagingAddress, (long) count * to.type().bytes());
            address += (long) count * to.type().bytes();
            from.position(from.position() + count * fromType.bytes());
        }
    }

    private void convert(ByteBuffer values, DType from, int count, DType to) {
        for (int i = 0; i < count; i++) {
            float value = Values.value(values, from, i);
            if (to == DType.BF16) {
                staging.putShort(2 * i, Values.floatToBfloat16(value));
            } else {
                staging.putFloat(4 * i, value);
            }
        }
    }

    /** Converts all of a tensor to little-endian float32 values. */
    void read(Tensor from, ByteBuffer to) {
        if (from.type() == DType.F32 && to.isDirect()) {
            int size = Math.toIntExact(from.bytes());
            memory.copyOut(new Pointer(to.slice().limit(size)).address(), from.address(), size);
            to.position(to.position() + size);
            return;
        }
        ByteBuffer target = to.slice().order(ByteOrder.LITTLE_ENDIAN);
        int bytes = from.type().bytes();
        for (long start = 0; start < from.size(); start += CHUNK) {
            int count = (int) Math.min(CHUNK, from.size() - start);
            memory.copyOut(stagingAddress, from.address() + start * bytes, (long) count * bytes);
            for (int i = 0; i < count; i++) {
                target.putFloat(Values.value(staging, from.type(), i));
            }
        }
        to.position(to.position() + target.position());
    }
}
