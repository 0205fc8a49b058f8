// Products that only the library itself and its benchmarks need.
#pragma once
#include "plora.h"

namespace plora {

// dx (rows, inputs) = dlogits w, where rows of dlogits, bf16, are stride apart; w is (outputs, inputs).
int logits_backward(
    plora_blas *blas, const void *dlogits, int32_t stride, const void *w, void *dx, int32_t rows, int32_t inputs,
    int32_t outputs, void *stream);

// By cuBLAS: out = x w^T + beta out, in backward x w. x: bf16 (rows, depth), rows x_stride apart; w: bf16 (columns, depth), in backward
// (depth, columns); out: bf16 (rows, columns).
int blas_product(
    plora_blas *blas, bool backward, const void *x, int x_stride, const void *w, void *out, int rows, int columns, int depth, float beta,
    void *stream);

}  // namespace plora
