package io.plora.kernels;

import java.util.ArrayList;
import java.util.List;

/**
 * One adapter where the kernels compute: its matrices, their gradients and AdamW's moments, each flat and of the kernels'
 * parameter type, matrix after matrix: all A first, then all B, so that each kind is one range for the optimizer.
 *
 * <p>Where activations are narrower than parameters, products read a copy of the matrices in the activations' type; the
 * optimizer and {@link #write} keep it up to date. Rows of such a copy are padded, see {@link #stride}.
 */
public final class AdapterState {

    /**
     * One matrix.
     *
     * @param rows r for A (r, in), out for B (out, r)
     * @param columns in for A, r for B
     */
    public record Matrix(int rows, int columns, boolean isB) {
        long size() {
            return (long) rows * columns;
        }
    }

    private final Kernels kernels;
    private final List<Matrix> matrices;
    private final long[] offsets; // first element of each matrix, then the number of elements
    private final long[] copyOffsets; // likewise in the copy
    private final long bOffset;
    private final Tensor parameters;
    private final Tensor gradients;
    private final Tensor firstMoment;
    private final Tensor secondMoment;
    private final Tensor copy;

    /**
     * Allocates zeroed memory.
     *
     * @param matrices all A, then all B
     * @throws IllegalArgumentException if an A follows a B
     */
    public AdapterState(Kernels kernels, List<Matrix> matrices) {
        this.kernels = kernels;
        this.matrices = List.copyOf(matrices);
        this.offsets = new long[matrices.size() + 1];
        this.copyOffsets = new long[matrices.size() + 1];
        long sizeOfA = 0;
        for (int i = 0; i < matrices.size(); i++) {
            Matrix matrix = matrices.get(i);
            if (!matrix.isB() && i > 0 && matrices.get(i - 1).isB()) {
                throw new IllegalArgumentException("Matrix (%d) is an A behind a B: all A come first.".formatted(i));
            }
            offsets[i + 1] = offsets[i] + matrix.size();
            copyOffsets[i + 1] =
                    copyOffsets[i] + (long) matrix.rows() * stride(kernels.activationType(), matrix.columns());
            sizeOfA = matrix.isB() ? sizeOfA : offsets[i + 1];
        }
        this.bOffset = sizeOfA;
        List<Tensor> taken = new ArrayList<>();
        try {
            this.parameters = take(taken, kernels.parameterType(), size());
            this.gradients = take(taken, kernels.parameterType(), size());
            this.firstMoment = take(taken, kernels.parameterType(), size());
            this.secondMoment = take(taken, kernels.parameterType(), size());
            this.copy = copies() ? take(taken, kernels.activationType(), copyOffsets[matrices.size()]) : parameters;
        } catch (RuntimeException | Error e) {
            taken.forEach(kernels::release);
            throw e;
        }
    }

    private Tensor take(List<Tensor> taken, DType type, long size) {
        Tensor tensor = kernels.allocate(type, size);
        taken.add(tensor);
        return tensor;
    }

    /** Elements from one row of a matrix to the next, as products read it: bf16 rows start at multiples of 16 bytes. */
    public static int stride(DType type, int columns) {
        return type == DType.BF16 ? (columns + 7) / 8 * 8 : columns;
    }

    /** Whether products read a copy of the parameters. */
    public boolean copies() {
        return kernels.activationType() != kernels.parameterType();
    }

    public List<Matrix> matrices() {
        return matrices;
    }

    /** Number of parameters. */
    public long size() {
        return offsets[matrices.size()];
    }

    /** Where the B matrices start. */
    public long bOffset() {
        return bOffset;
    }

    /** First element of a matrix in the flat tensors. */
    public long offset(int matrix) {
        return offsets[matrix];
    }

    /** (n). What is written here directly reaches {@link #operand} by {@link Kernels#refresh}. */
    public Tensor parameters() {
        return parameters;
    }

    /** (n) */
    public Tensor gradients() {
        return gradients;
    }

    /** (n) */
    public Tensor firstMoment() {
        return firstMoment;
    }

    /** (n) */
    public Tensor secondMoment() {
        return secondMoment;
    }

    /** A matrix as products read it: (rows, {@link #stride} of its columns), of the kernels' activation type. */
    public Tensor operand(int matrix) {
        Matrix m = matrices.get(matrix);
        return copy.view(copyOffsets[matrix], m.rows(), stride(kernels.activationType(), m.columns()));
    }

    /** Gradient of a matrix, (rows, columns). */
    public Tensor gradient(int matrix) {
        return gradients.view(
                offsets[matrix],
                matrices.get(matrix).rows(),
                matrices.get(matrix).columns());
    }

    /**
     * Sets all parameters.
     *
     * @throws IllegalArgumentException if the numbers of values differ
     */
    public void write(float[] values) {
        kernels.write(parameters, values);
        kernels.refresh(this);
    }

    /** Gives the memory back; nothing of this adapter may be used afterwards. */
    public void release() {
        List<Tensor> taken = new ArrayList<>(List.of(parameters, gradients, firstMoment, secondMoment));
        if (copies()) {
            taken.add(copy);
        }
        taken.forEach(kernels::release);
    }
}
