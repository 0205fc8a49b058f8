package io.plora.cost;

import io.plora.kernels.DType;

/** How the frozen matrices of the layers are held; embedding, output layer, norms and biases are never quantised. */
public enum WeightFormat {
    /** In the activations' type. */
    PLAIN,
    /**
     * 4-bit NormalFloat with double quantisation (QLoRA, Dettmers et al. 2023): half a byte a value, an 8-bit scale for 64
     * values, and a float32 scale for 256 of those: 4.127 bits a value.
     */
    NF4;

    private static final int BLOCK = 64;
    private static final int BLOCKS_OF_A_SECOND_SCALE = 256;

    /** Bytes of a matrix. */
    long bytes(long values, DType type) {
        if (this == PLAIN) {
            return values * type.bytes();
        }
        long blocks = (values + BLOCK - 1) / BLOCK;
        long secondScales = (blocks + BLOCKS_OF_A_SECOND_SCALE - 1) / BLOCKS_OF_A_SECOND_SCALE;
        return (values + 1) / 2 + blocks + secondScales * DType.F32.bytes();
    }
}
