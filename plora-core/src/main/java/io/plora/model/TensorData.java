package io.plora.model;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/** Values of a tensor on their way to a file, little-endian; asked for when it is the tensor's turn, piece by piece. */
@FunctionalInterface
public interface TensorData {

    /** Writes all bytes. */
    void writeTo(WritableByteChannel channel) throws IOException;

    /** Float32 values. */
    static TensorData of(float[] values) {
        return channel -> FloatBytes.write(values, channel);
    }

    /** All remaining bytes of a buffer, whose position stays. */
    static TensorData of(ByteBuffer bytes) {
        return channel -> writeFully(bytes.duplicate(), channel);
    }

    /** Writes all remaining bytes of a buffer. */
    static void writeFully(ByteBuffer bytes, WritableByteChannel channel) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
