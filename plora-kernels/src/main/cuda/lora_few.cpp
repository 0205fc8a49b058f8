// Projections of few rows of one adapter on Hopper GPUs: the frozen product and the low-rank terms in one kernel.
//
// S, or dS, is made by clusters (lora_cluster.cu), which let the product start once X, or dY, is there: it goes over the frozen
// weights meanwhile, and over the low-rank columns at the end. Gradients of A and B are made beside it.
#ifndef PLORA_EMULATE

#include "frozen.h"
#include "lora.h"
#include "status.h"

namespace plora {
namespace {

// What the product takes of the low-rank terms: S and B, or dS and A.
FrozenLowRank low_rank_of(const plora_lora_plan *plan, bool backward, const plora_term *terms, const void *low_rank) {
    FrozenLowRank low = {};
    low.low_rank = low_rank;
    low.parts = plan->parts;
    for (int p = 0; p < plan->parts; p++) {
        const plora_term &term = terms[plan->single * plan->parts + p];
        low.part[p] = {backward ? term.a : term.b, backward ? plan->inputs : term.b_stride, term.rank, low.stride,
                       plan->part_from[p], plan->part_to[p]};
        low.stride += term.rank;
    }
    return low;
}

int product(
    const plora_lora_plan *plan, bool backward, const plora_term *terms, const void *x, const void *w, void *out, const void *add,
    const void *bias, const void *low_rank, void *stream) {
    PLORA_REQUIRE(backward ? plan->few_backward : plan->few, "The plan's rows (%d) are not few of one adapter (single: %d).", plan->rows,
                  plan->single);
    const FrozenPlan &cut = backward ? plan->few_backward_cut : plan->few_cut;
    int columns = backward ? plan->inputs : plan->outputs, depth = backward ? plan->outputs : plan->inputs;
    FrozenLowRank low = low_rank_of(plan, backward, terms, low_rank);
    return frozen_product(cut, backward, x, depth, w, out, plan->rows, columns, depth, 1.0f, add, bias, &low, stream);
}

}  // namespace
}  // namespace plora

using namespace plora;

int plora_lora_few(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *host_terms, const plora_term *terms,
    const int64_t *dropout_keys, const void *x, const void *w, void *y, const void *add, const void *bias, void *low_rank,
    void *workspace, void *stream) {
    PLORA_TRY(plora_lora_shrink(plan, tiles, terms, dropout_keys, x, low_rank, workspace, stream));
    return product(plan, false, host_terms, x, w, y, add, bias, low_rank, stream);
}

int plora_lora_few_backward(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *host_terms, const plora_term *terms, const void *x,
    const void *dy, const void *w, void *dx, const void *low_rank, void *workspace, void *stream) {
    PLORA_TRY(gradient_low_rank(plan, tiles, terms, dy, workspace, stream));
    PLORA_TRY(product(plan, true, host_terms, dy, w, dx, nullptr, nullptr, workspace, stream));
    return gradients_behind(plan, tiles, terms, nullptr, x, low_rank, dy, workspace, stream);
}

#endif
