// Products that only the library itself needs.
#pragma once
#include "plora.h"

namespace plora {

// dx (rows, inputs) = dlogits w, where rows of dlogits, bf16, are stride apart; w is (outputs, inputs).
int logits_backward(
    plora_blas *blas, const void *dlogits, int32_t stride, const void *w, void *dx, int32_t rows, int32_t inputs,
    int32_t outputs, void *stream);

}  // namespace plora
