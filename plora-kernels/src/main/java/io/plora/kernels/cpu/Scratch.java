package io.plora.kernels.cpu;

import io.plora.kernels.DType;
import io.plora.kernels.Tensor;

/** Memory of one thread, grown on demand and used again by the next operation. */
final class Scratch {
    private static final int SLOTS = 4;

    private final float[][] heap = new float[SLOTS][0];
    private final Tensor[] direct = new Tensor[SLOTS];
    private long[] keys = new long[0];
    private final Products products = new Products();
    private final Exponential exponential = new Exponential();

    Products products() {
        return products;
    }

    Exponential exponential() {
        return exponential;
    }

    /** A heap array of at least so many elements; what a slot held before is lost. */
    float[] heap(int slot, int size) {
        if (heap[slot].length < size) {
            heap[slot] = new float[grown(size)];
        }
        return heap[slot];
    }

    /** A dense matrix in memory that products can read; what a slot held before is lost. */
    Matrix direct(int slot, int rows, int columns) {
        int size = Math.multiplyExact(rows, columns);
        if (direct[slot] == null || direct[slot].size() < size) {
            direct[slot] = Tensor.onHost(DType.F32, grown(size));
        }
        return Matrix.of(direct[slot], rows, columns);
    }

    /** A heap array of at least so many elements; what it held before is lost. */
    long[] keys(int size) {
        if (keys.length < size) {
            keys = new long[grown(size)];
        }
        return keys;
    }

    /** A quarter more than needed, up to what a buffer of float32 holds. */
    private static int grown(int size) {
        return (int) Math.max(size, Math.min(Integer.MAX_VALUE / 4, size + size / 4L));
    }
}
