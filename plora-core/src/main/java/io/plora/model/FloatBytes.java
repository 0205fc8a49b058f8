package io.plora.model;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.WritableByteChannel;

/** Float32 values as little-endian bytes, converted piece by piece. */
final class FloatBytes {
    private static final int CHUNK = 1 << 16;

    /** One a thread: an adapter has hundreds of matrices, and direct memory is dear to get. */
    private static final ThreadLocal<ByteBuffer> BUFFER = ThreadLocal.withInitial(
            () -> ByteBuffer.allocateDirect(CHUNK * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN));

    private FloatBytes() {}

    static void write(float[] values, WritableByteChannel channel) throws IOException {
        ByteBuffer bytes = BUFFER.get();
        FloatBuffer floats = bytes.clear().asFloatBuffer();
        for (int from = 0; from < values.length; from += floats.position()) {
            floats.clear().put(values, from, Math.min(CHUNK, values.length - from));
            TensorData.writeFully(bytes.position(0).limit(floats.position() * Float.BYTES), channel);
        }
    }
}
