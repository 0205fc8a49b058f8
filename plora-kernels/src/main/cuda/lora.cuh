// What the kernels of packed LoRA share.
#pragma once
#include "device.cuh"
#include "lora_plan.h"

namespace plora {

struct LoraArguments {
    const plora_tile *tiles;
    const plora_term *terms;  // (adapters, parts)
    const int64_t *keys;      // (T) or null
    const bf16 *x;            // (T, inputs)
    const bf16 *dy;           // (T, outputs)
    bf16 *low_rank;           // S; forward writes it
    bf16 *low_rank_gradient;  // dS
    bf16 *out;                // y or dx
    const bf16 *add;          // what is added to it, of the same shape, or null
    const bf16 *bias;         // (outputs) or null
    float *partials;
    int behind;  // shrink, gradients a and b: whether they may start while the kernel before runs, which has waited for what they need
    int parts;
    int inputs;
    int outputs;
};

__device__ inline const plora_term *adapter_terms(const LoraArguments &g, const plora_tile &t) { return g.terms + t.adapter * g.parts; }

// The term and the rank within it of an adapter's low-rank column; null where the column is padding.
__device__ inline const plora_term *term_at(const plora_term *terms, int parts, int column, int &rank) {
    int part = 0;
    for (; part < parts - 1; part++) {
        int width = (terms[part].rank + 7) / 8 * 8;
        if (column < width) break;
        column -= width;
    }
    rank = column;
    return column < terms[part].rank ? terms + part : nullptr;
}

// The mask of a tile that lies within one part.
struct Mask {
    uint32_t threshold;  // 0: nothing is dropped
    int module;
    float keep_scale;
};

__device__ inline Mask mask_of(const LoraArguments &g, const plora_term *terms, int part) {
    if (part < 0 || g.keys == nullptr || terms[part].drop_threshold == 0) return {0, 0, 1.0f};
    return {terms[part].drop_threshold, terms[part].module, terms[part].keep_scale};
}

// Masks the chunks that this thread copied, of a tile at (row, column).
template <int COLUMNS, int THREAD_COUNT, int TILE_ROWS = ROWS>
__device__ void drop_tile(const LoraArguments &g, const plora_tile &t, const Mask &mask, bf16 *x_tile, int row0, int column) {
    int quad = (column + (int)threadIdx.x % (COLUMNS / CHUNK) * CHUNK) / 4;
    uint64_t first = column_key(mask.module, quad), second = column_key(mask.module, quad + 1);
    each_chunk<TILE_ROWS, COLUMNS, THREAD_COUNT>(x_tile, [&](bf16 *at, int row, int) {
        if (row0 + row < t.rows) {
            *(uint4 *)at = drop(*(uint4 *)at, (uint64_t)g.keys[t.row + row0 + row], first, second, mask.threshold);
        }
    });
}

__device__ inline void add(float4 &sum, const float4 &more) {
    sum = {sum.x + more.x, sum.y + more.y, sum.z + more.z, sum.w + more.w};
}

// Ends a launch that may have started beside the one before it: not before that one.
__device__ inline void end_behind(const LoraArguments &g) {
    if (g.behind && blockIdx.x == gridDim.x - 1) wait_for_previous();
}

// Overwrites a gradient's pair of neighbours, aligned to eight bytes, or adds to it. Each element gets one sum from one thread
// at a time, so the order is fixed.
template <bool OVERWRITE>
__device__ inline void put_pair(float *to, float low, float high) {
    if (OVERWRITE) {
        *(float2 *)to = {low, high};
    } else {
        add_pair(to, low, high);
    }
}

// One thread's place in a stream of steps: all rows of some columns, then of the next ones whose turn it is.
template <int COLUMNS>
struct RowsFirst {
    int row = 0, column = 0;

    __device__ void advance(const plora_tile &t) {
        row += ROWS;
        if (row >= t.rows) {
            row = 0;
            column += t.turns * COLUMNS;
        }
    }
};

// Writes two neighbours of dS, to their place or as a partial sum.
__device__ inline void put_low_rank_gradient(const LoraArguments &g, const plora_tile &t, int row, int column, float low, float high) {
    if (t.partial < 0) {
        *(uint32_t *)(g.low_rank_gradient + t.low_rank + (int64_t)row * t.stride + t.rank + column) = pack(low, high);
    } else {
        *(float2 *)(g.partials + t.partial + (int64_t)row * t.ranks + column) = {low, high};
    }
}

// Gradient b: R rows of S.
template <int R, int N>
__device__ void gradient_b_load_s(const LoraArguments &g, const plora_tile &t, bf16 *s_tile, int row0) {
    const bf16 *s = g.low_rank + t.low_rank + t.rank + (int64_t)row0 * t.stride;
    int rows = t.rows - row0;
    copy_tile_async<R, N, THREADS>(s_tile, s, t.stride, [&](int row, int chunk) {
        return row < rows && chunk * CHUNK < t.ranks ? 16 : 0;
    });
}

// Fetches S and what the first step reads of B while others are at work.
__device__ inline void gradient_b_prefetch(const LoraArguments &g, const plora_tile &t, const plora_term &term) {
    constexpr int C = GRADIENT_B_COLUMNS;
    int i = threadIdx.x;
    if (i < C) {
        if (i < t.columns) prefetch((const bf16 *)term.b + (int64_t)(t.column - t.part_column + i) * term.b_stride + t.part_rank);
    } else if (i - C < t.rows) {
        prefetch(g.low_rank + t.low_rank + t.rank + (int64_t)(i - C) * t.stride);
    }
}

// R rows of dY.
template <int R>
__device__ void gradient_b_load_dy(const LoraArguments &g, const plora_tile &t, bf16 *dy_tile, int row0, int column) {
    int rows = t.rows - row0, columns = t.column + t.columns - column;
    const bf16 *dy = g.dy + (int64_t)(t.row + row0) * g.outputs + column;
    copy_tile_async<R, GRADIENT_B_COLUMNS, THREADS>(dy_tile, dy, g.outputs, [&](int row, int chunk) {
        return row < rows && chunk * CHUNK < columns ? 16 : 0;
    });
}

// B of one step.
template <int N>
__device__ void gradient_b_load_b(const plora_tile &t, const plora_term &term, bf16 *b_tile, int column) {
    int columns = t.column + t.columns - column;
    const bf16 *b = (const bf16 *)term.b + (column - t.part_column) * term.b_stride + t.part_rank;
    int ranks = term.rank - t.part_rank;
    copy_tile_async<GRADIENT_B_COLUMNS, N, THREADS>(b_tile, b, term.b_stride, [&](int row, int chunk) {
        return row < columns ? min(max(ranks - chunk * CHUNK, 0), CHUNK) * 2 : 0;
    });
}

// ---- launches ----

inline LoraArguments lora_arguments(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *keys, void *workspace) {
    LoraArguments g = {};
    g.tiles = tiles;
    g.terms = terms;
    g.keys = keys;
    g.low_rank_gradient = (bf16 *)workspace;
    g.partials = (float *)((char *)workspace + (plan->low_rank_elements * 2 + 255) / 256 * 256);
    g.parts = plan->parts;
    g.inputs = plan->inputs;
    g.outputs = plan->outputs;
    return g;
}

// Adds up the partial sums of a list.
int launch_reduce(
    const plora_lora_plan *plan, const plora_tile *tiles, int list, const float *partials, bf16 *low_rank, void *stream);

// S and dS of few rows, on Hopper GPUs.
int launch_cluster_shrink(const plora_lora_plan *plan, const LoraArguments &g, void *stream);
int launch_cluster_gradient(const plora_lora_plan *plan, const LoraArguments &g, void *stream);

// Kernels for Hopper GPUs.
int launch_gradient_b_hopper(const plora_lora_plan *plan, const LoraArguments &g, bool with_b, void *stream);
int launch_gradients_hopper(const plora_lora_plan *plan, const LoraArguments &g, void *stream);

}  // namespace plora
