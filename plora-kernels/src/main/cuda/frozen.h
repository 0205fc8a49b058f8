// Frozen products for few rows on Hopper GPUs: how one is cut into blocks, and its launch.
#pragma once
#include "plora.h"

namespace plora {

constexpr int FROZEN_DEPTH = 64;                // of a step of a sum
constexpr int FROZEN_STAGES = 32;               // most stages of a ring
constexpr int FROZEN_SPLITS = 8;                // most pieces of a sum
constexpr int FROZEN_SHARED = 227 * 1024 - 2048;  // bytes that the rings may take, beside their barriers

// How a frozen product of few rows is cut into blocks: each takes one tile of the result's columns, all its rows, and one piece of the
// sum, in one pass. The blocks of a cluster add up the pieces of a tile.
struct FrozenPlan {
    int tokens;         // rows of x in a step: 32, 64, 128 or 256
    int groups;         // tiles of 64 weight rows of each of the two warpgroups: 1, 2 or 3
    int width;          // columns of the result in a tile, a multiple of 8, in backward of 64
    int splits;         // pieces of the sum
    int weight_stages;  // of width x 64 weights
    int x_stages;       // of tokens x 64
};

// Bytes of the two rings.
int64_t frozen_ring_bytes(const FrozenPlan &plan);

// Whether a kernel is built for the plan and its tiles fit its rings.
bool frozen_plan_fits(const FrozenPlan &plan, bool backward);

// The plan of a product (rows, depth) x (depth, columns), where it is faster than cuBLAS by measurement on the device.
bool frozen_plan(const plora_device &device, bool backward, int rows, int columns, int depth, FrozenPlan &plan);

// out = x w^T + beta out, or x w + beta out in backward; rows of x are x_stride apart. x: bf16 (rows, depth); w: bf16 (columns, depth),
// in backward (depth, columns); out: bf16 (rows, columns). w is read before the kernels before this one have ended.
int frozen_product(
    const FrozenPlan &plan, bool backward, const void *x, int x_stride, const void *w, void *out, int rows, int columns, int depth,
    float beta, void *stream);

}  // namespace plora
