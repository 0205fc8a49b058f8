// Parts of packed LoRA that go with the products of lora_linear.cu.
#pragma once
#include "plora.h"

namespace plora {

// Gradients of all b; leaves low_rank's gradient in the workspace.
int gradient_b(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *low_rank, const void *dy,
    void *workspace, void *stream);

// y += low_rank b^T for the rows that plora_lora_linear leaves out.
int expand_mixed(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *low_rank, void *y, void *stream);

// low_rank = scale drop(x) a^T, beside the kernel launched before, which must have waited for those before it when it lets the next
// one start; what is launched afterwards finds both done.
int shrink_behind(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    void *low_rank, void *workspace, void *stream);

// Gradients of all a, likewise; and dx += gradient of low_rank a, after that kernel, for the rows that plora_lora_linear_backward
// leaves out.
int gradient_a_behind(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *x, void *dx, void *workspace,
    void *stream);

}  // namespace plora
