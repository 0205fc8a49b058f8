// Parts of packed LoRA that go with the products of lora_linear.cu.
#pragma once
#include "plora.h"

namespace plora {

// low_rank's gradient, left at the start of the workspace, and the gradients of all b; on Hopper GPUs not these unless with_b.
int low_rank_gradient(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *low_rank, const void *dy, bool with_b,
    void *workspace, void *stream);

// y += low_rank b^T for the rows that plora_lora_linear leaves out.
int expand_mixed(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *low_rank, void *y, void *stream);

// low_rank = scale drop(x) a^T, beside the kernel launched before, which must have waited for those before it when it lets the next
// one start; what is launched afterwards finds both done.
int shrink_behind(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    void *low_rank, void *workspace, void *stream);

// Gradients of all a, and of all b where the plan has them here, likewise; and dx += gradient of low_rank a, after that kernel, for the
// rows that plora_lora_linear_backward leaves out.
int gradients_behind(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *x, const void *low_rank,
    const void *dy, void *dx, void *workspace, void *stream);

}  // namespace plora
