package io.plora.kernels;

import org.jspecify.annotations.Nullable;

/**
 * One adapter's low-rank term on one projection: {@code y += scale * (drop(x) A^T) B^T}.
 *
 * @param a (r, in), of the kernels' activation type
 * @param b (out, r), likewise; its rows are {@link AdapterState#stride} elements apart
 * @param gradientA where the gradient of A accumulates, or null in evaluation
 * @param gradientB where the gradient of B accumulates, or null in evaluation
 * @param scale alpha / r, or alpha / sqrt(r) when rank-stabilised
 * @param dropout probability that an element of x is dropped, in [0, 1)
 */
public record LoraTerm(
        Tensor a,
        Tensor b,
        @Nullable Tensor gradientA,
        @Nullable Tensor gradientB,
        double scale,
        double dropout) {

    public int loraRank() {
        return (int) a.dim(0);
    }
}
