package io.plora.kernels.cpu;

import io.plora.kernels.Tensor;

/**
 * A rectangle of a float32 host tensor: what products take, and where rows are copied from and to.
 *
 * @param tensor the memory
 * @param offset element of the tensor where the rectangle starts
 * @param stride elements from one stored row to the next
 * @param transposed whether rows here are columns in memory
 */
record Matrix(Tensor tensor, int offset, int rows, int columns, int stride, boolean transposed) {

    /** The first rows of a tensor of shape (at least rows, columns). */
    static Matrix of(Tensor tensor, int rows, int columns) {
        return at(tensor, 0, rows, columns);
    }

    /** All of a tensor of two dimensions. */
    static Matrix of(Tensor tensor) {
        return of(tensor, (int) tensor.dim(0), (int) tensor.dim(1));
    }

    /** Dense rows from an element of a tensor on. */
    static Matrix at(Tensor tensor, int offset, int rows, int columns) {
        tensor.floats(); // created here: workers only read it
        return new Matrix(tensor, offset, rows, columns, columns, false);
    }

    Matrix transpose() {
        return new Matrix(tensor, offset, columns, rows, stride, !transposed);
    }

    Matrix rows(int from, int to) {
        int skipped = transposed ? from : from * stride;
        return new Matrix(tensor, offset + skipped, to - from, columns, stride, transposed);
    }

    Matrix columns(int from, int to) {
        int skipped = transposed ? from * stride : from;
        return new Matrix(tensor, offset + skipped, rows, to - from, stride, transposed);
    }

    long address() {
        return tensor.address() + 4L * offset;
    }

    /** Copies rows into a heap array, densely from its start. */
    void load(int from, int to, float[] heap) {
        if (stride == columns) {
            tensor.floats().get(offset + from * stride, heap, 0, (to - from) * columns);
            return;
        }
        for (int row = from; row < to; row++) {
            tensor.floats().get(offset + row * stride, heap, (row - from) * columns, columns);
        }
    }

    /** Copies rows from the start of a heap array. */
    void store(int from, int to, float[] heap) {
        if (stride == columns) {
            tensor.floats().put(offset + from * stride, heap, 0, (to - from) * columns);
            return;
        }
        for (int row = from; row < to; row++) {
            tensor.floats().put(offset + row * stride, heap, (row - from) * columns, columns);
        }
    }
}
