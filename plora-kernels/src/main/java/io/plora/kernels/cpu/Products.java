package io.plora.kernels.cpu;

import static org.bytedeco.openblas.global.openblas_nolapack.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemm;

import java.lang.ref.Reference;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/** Matrix products of one thread through OpenBLAS. */
final class Products {
    private final Address a = new Address();
    private final Address b = new Address();
    private final Address c = new Address();

    /** {@code to = alpha left right + beta to}; with beta 0 what was in {@code to} does not matter, even NaN. */
    void multiply(float alpha, Matrix left, Matrix right, float beta, Matrix to) {
        if (left.columns() != right.rows() || left.rows() != to.rows() || right.columns() != to.columns()) {
            throw new IllegalArgumentException("Shapes of a product: (%s) x (%s) -> (%s).".formatted(left, right, to));
        }
        if (to.rows() == 0 || to.columns() == 0) {
            return;
        }
        cblas_sgemm(
                CblasRowMajor,
                left.transposed() ? CblasTrans : CblasNoTrans,
                right.transposed() ? CblasTrans : CblasNoTrans,
                to.rows(),
                to.columns(),
                left.columns(),
                alpha,
                a.at(left.address()),
                left.stride(),
                b.at(right.address()),
                right.stride(),
                beta,
                c.at(to.address()),
                to.stride());
        Reference.reachabilityFence(left.tensor());
        Reference.reachabilityFence(right.tensor());
        Reference.reachabilityFence(to.tensor());
    }

    /** A pointer that is moved instead of made anew for each product. */
    private static final class Address extends FloatPointer {
        Address() {
            super((Pointer) null);
        }

        Address at(long newAddress) {
            address = newAddress;
            return this;
        }
    }
}
