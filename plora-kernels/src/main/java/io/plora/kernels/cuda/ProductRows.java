package io.plora.kernels.cuda;

import com.google.common.math.IntMath;
import io.plora.kernels.Tensor;
import java.math.RoundingMode;

/**
 * How many rows products by cuBLAS are given: those of the batch, rounded up. cuBLAS takes another kernel for many numbers of rows,
 * and to load one takes milliseconds; so there are few numbers. Rows of a product do not mix, and what lies behind a batch is
 * nobody's (see {@link io.plora.kernels.Kernels}).
 */
final class ProductRows {
    private static final int FEW = 64;
    private static final int SOME = 256;

    private ProductRows() {}

    /** A multiple of 8 up to 64, of 16 up to 256, of 64 above. */
    static int rounded(int rows) {
        int multiple = rows <= FEW ? 8 : rows <= SOME ? 16 : 64;
        return multiple * IntMath.divide(rows, multiple, RoundingMode.CEILING);
    }

    /** The same, or what memory is there for. */
    static int rounded(int rows, Tensor x, Tensor y) {
        return (int) Math.min(rounded(rows), Math.min(x.dim(0), y.dim(0)));
    }
}
