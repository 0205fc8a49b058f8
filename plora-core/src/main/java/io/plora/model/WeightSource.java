package io.plora.model;

import java.nio.ByteBuffer;

/** Where the weights of a decoder come from, by the names that {@link DecoderTensors#shapes} lists: a checkpoint's files. */
public interface WeightSource {

    /** Type and shape of a tensor. */
    TensorInfo info(String name);

    /**
     * A part of a tensor, little-endian, in a direct buffer that holds until the next call.
     *
     * @param offset in bytes
     * @param length in bytes
     */
    ByteBuffer bytes(String name, long offset, int length);
}
