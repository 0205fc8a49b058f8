// Frozen products for few rows on Hopper GPUs: how one is cut into blocks, and its launch.
#pragma once
#include "plora.h"

namespace plora {

constexpr int FROZEN_DEPTH = 64;                // of a step of a sum
constexpr int FROZEN_STAGES = 32;               // most stages of a ring
constexpr int FROZEN_SPLITS = 8;                // most pieces of a sum
constexpr int FROZEN_SHARED = 227 * 1024 - 2048;  // bytes that the rings may take, beside their barriers

// One pass: each block takes one tile of `width` columns of the result, all its rows, and one piece of the sum. The blocks of a
// cluster add up the pieces of a tile.
using FrozenPlan = plora_frozen_plan;

// Bytes of the two rings.
int64_t frozen_ring_bytes(const FrozenPlan &plan);

// Whether a kernel is built for the plan and its tiles fit its rings.
bool frozen_plan_fits(const FrozenPlan &plan, bool backward);

// The plan of a product (rows, depth) x (depth, columns), where it is faster than cuBLAS by measurement on the device. fused:
// whether low-rank terms are to be part of it.
bool frozen_plan(const plora_device &device, bool backward, int rows, int columns, int depth, bool fused, FrozenPlan &plan);

constexpr int FROZEN_PARTS = 3;

// Low-rank terms of all rows that go on with the sum: those of each part for its columns, in backward for all.
struct FrozenLowRank {
    const void *low_rank;  // bf16 (rows, stride): S or dS, which the kernel before this one makes
    int stride;
    int parts;
    struct {
        const void *operand;  // B of the part, bf16 (to - from, rank), or in backward A, bf16 (rank, columns)
        int operand_stride;
        int rank;             // a multiple of 8
        int offset;           // of the part's columns of low_rank
        int from, to;         // columns of the result; in backward not used
    } part[FROZEN_PARTS];
};

// out = x w^T + beta add + bias + low-rank terms, or x w in backward; rows of x are x_stride apart. x: bf16 (rows, depth); w: bf16
// (columns, depth), in backward (depth, columns); out: bf16 (rows, columns); add: the same, out itself too; bias: bf16 (columns), or
// null; low: or null. w is read before the kernels before this one have ended; with low, x and the operands too, since what makes
// low_rank starts this kernel once those before it have ended.
int frozen_product(
    const FrozenPlan &plan, bool backward, const void *x, int x_stride, const void *w, void *out, int rows, int columns, int depth,
    float beta, const void *add, const void *bias, const FrozenLowRank *low, void *stream);

}  // namespace plora
