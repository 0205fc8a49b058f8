// S = scale drop(X) A^T, and what adds up partial sums of S and dS.
#include "lora.cuh"

namespace plora {
namespace {

// Columns from the tile's first one to those of a step.
__device__ int shrink_column(const plora_tile &t, int step) { return step * t.turns * SHRINK_DEPTH; }

__device__ void shrink_load_x(const LoraArguments &g, const plora_tile &t, bf16 *x_tile, int step) {
    const bf16 *from = g.x + (int64_t)t.row * g.inputs + t.column + shrink_column(t, step);
    int columns = t.columns - shrink_column(t, step);
    copy_tile_async<ROWS, SHRINK_DEPTH, SHRINK_THREADS>(x_tile, from, g.inputs, [&](int row, int chunk) {
        return row < t.rows && chunk * CHUNK < columns ? 16 : 0;
    });
}

// One low-rank column of a shrink tile.
struct ShrinkColumn {
    const bf16 *a;  // its row of A, or null where it is padding
    float scale;
};

template <int N>
__device__ void shrink_load_a(const plora_tile &t, const ShrinkColumn *low_rank_columns, bf16 *a_tile, int step) {
    int column = t.column + shrink_column(t, step), columns = t.columns - shrink_column(t, step);
    each_chunk<N, SHRINK_DEPTH, SHRINK_THREADS>(a_tile, [&](bf16 *at, int row, int chunk) {
        const bf16 *a_row = low_rank_columns[row].a;
        bool valid = a_row != nullptr && chunk * CHUNK < columns;
        copy_async(at, a_row + column + chunk * CHUNK, valid ? 16 : 0);
    });
}

// Fetches what the first steps read of A while others are at work.
__device__ void shrink_prefetch(const plora_tile &t, const ShrinkColumn *low_rank_columns) {
    for (int i = threadIdx.x; i < t.ranks * (SHRINK_STAGES - 1); i += SHRINK_THREADS) {
        int column = t.column + shrink_column(t, i / t.ranks);
        const bf16 *a_row = low_rank_columns[i % t.ranks].a;
        if (a_row != nullptr && column < t.column + t.columns) prefetch(a_row + column);
    }
}

template <int N>
__device__ void shrink_multiply(float (&sums)[N / 8][4], bf16 *x_tile, bf16 *a_tile) {
    int slab = threadIdx.x / 32 * 16;
#pragma unroll
    for (int k = 0; k < SHRINK_DEPTH; k += 16) {
        uint32_t left[4], right[4];
        load_left<SHRINK_DEPTH>(left, x_tile, slab, k);
#pragma unroll
        for (int n = 0; n < N; n += 16) {
            load_right<SHRINK_DEPTH>(right, a_tile, n, k);
            multiply(sums[n / 8], left, right[0], right[1]);
            multiply(sums[n / 8 + 1], left, right[2], right[3]);
        }
    }
}

template <int N>
__device__ void shrink_store(
    const LoraArguments &g, const plora_tile &t, const Mask &mask, const ShrinkColumn *low_rank_columns, float (&sums)[N / 8][4]) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = threadIdx.x / 32 * 16 + fragment_row() + half * 8;
#pragma unroll
        for (int n = 0; n < N; n += 8) {
            int column = n + fragment_column();
            if (row < t.rows && column < t.ranks) {
                float low = sums[n / 8][half * 2] * (mask.keep_scale * low_rank_columns[column].scale);
                float high = sums[n / 8][half * 2 + 1] * (mask.keep_scale * low_rank_columns[column + 1].scale);
                if (t.partial < 0) {
                    *(uint32_t *)(g.low_rank + t.low_rank + (int64_t)row * t.stride + t.rank + column) = pack(low, high);
                } else {
                    *(float2 *)(g.partials + t.partial + row * t.ranks + column) = {low, high};
                }
            }
        }
    }
}

template <int N>
__device__ void shrink_tile(const LoraArguments &g, const plora_tile &t) {
    constexpr int X = ROWS * SHRINK_DEPTH, STAGE = X + N * SHRINK_DEPTH;
    bf16 *stages = (bf16 *)shared_memory();
    ShrinkColumn *low_rank_columns = (ShrinkColumn *)(stages + SHRINK_STAGES * STAGE);
    const plora_term *terms = adapter_terms(g, t);
    for (int n = threadIdx.x; n < N; n += SHRINK_THREADS) {
        int rank;
        const plora_term *term = n < t.ranks ? term_at(terms, g.parts, t.rank + n, rank) : nullptr;
        low_rank_columns[n] = {nullptr, 0.0f};
        if (term != nullptr) low_rank_columns[n] = {(const bf16 *)term->a + (int64_t)rank * g.inputs, term->scale};
    }
    Mask mask = mask_of(g, terms, t.part);
    int steps = divide_up(t.columns, t.turns * SHRINK_DEPTH);
    float sums[N / 8][4] = {};
    auto load = [&](int step) {
        bf16 *stage = stages + step % SHRINK_STAGES * STAGE;
        if (step < steps) {
            shrink_load_x(g, t, stage, step);
            shrink_load_a<N>(t, low_rank_columns, stage + X, step);
        }
        copy_commit();
    };
    __syncthreads();
    shrink_prefetch(t, low_rank_columns);
    if (g.behind) {
        launch_dependents();
    } else {
        wait_for_previous_first();
    }
    for (int step = 0; step < SHRINK_STAGES - 1; step++) load(step);
    for (int step = 0; step < steps; step++) {
        bf16 *stage = stages + step % SHRINK_STAGES * STAGE;
        copy_wait<SHRINK_STAGES - 2>();
        if (mask.threshold != 0) {
            drop_tile<SHRINK_DEPTH, SHRINK_THREADS>(g, t, mask, stage, 0, t.column + shrink_column(t, step));
        }
        __syncthreads();
        load(step + SHRINK_STAGES - 1);
        shrink_multiply<N>(sums, stage, stage + X);
    }
    copy_wait<0>();
    shrink_store<N>(g, t, mask, low_rank_columns, sums);
}

__global__ void __launch_bounds__(SHRINK_THREADS, 4) shrink_kernel(LoraArguments g) {
    const plora_tile t = g.tiles[blockIdx.x];
    if (t.ranks <= 16) {
        shrink_tile<16>(g, t);
    } else if (t.ranks <= 32) {
        shrink_tile<32>(g, t);
    } else if (t.ranks <= 64) {
        shrink_tile<64>(g, t);
    } else {
        shrink_tile<128>(g, t);
    }
    end_behind(g);
}

// Partial sums first .. end - 1 of four neighbours, in order.
__device__ inline float4 add_splits(const float *from, int64_t stride, int first, int end) {
    float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll 8
    for (int split = first; split < end; split++) add(sum, *(const float4 *)(from + split * stride));
    return sum;
}

// Adds the partial sums of S or dS in a fixed order: one after the other, or where there are many, first those of each warp.
__global__ void __launch_bounds__(THREADS) reduce_kernel(const plora_tile *tiles, const float *partials, bf16 *low_rank) {
    constexpr int WARPS = THREADS / 32;
    const plora_tile t = tiles[blockIdx.x];
    wait_for_previous();
    bool by_warps = t.splits > REDUCE_SPLITS;
    int quads = t.ranks / 4, warp = (int)threadIdx.x / 32;
    int i = by_warps ? (int)threadIdx.x % 32 : (int)threadIdx.x;
    int row = i / quads, column = i % quads * 4;
    bool valid = row < t.rows;
    const float *from = partials + t.partial + (int64_t)row * t.ranks + column;
    float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
    if (!by_warps) {
        if (valid) sum = add_splits(from, t.split_stride, 0, t.splits);
    } else {
        float4 *of_warps = (float4 *)shared_memory();
        int share = divide_up(t.splits, WARPS), first = warp * share;
        if (valid) of_warps[threadIdx.x] = add_splits(from, t.split_stride, first, min(first + share, t.splits));
        __syncthreads();
        valid = valid && warp == 0;
        for (int w = 0; w < WARPS && valid; w++) add(sum, of_warps[w * 32 + i]);
    }
    if (!valid) return;
    uint2 pair = {pack(sum.x, sum.y), pack(sum.z, sum.w)};
    *(uint2 *)(low_rank + t.low_rank + (int64_t)row * t.stride + t.rank + column) = pair;
}

}  // namespace

int launch_reduce(
    const plora_lora_plan *plan, const plora_tile *tiles, int list, const float *partials, bf16 *low_rank, void *stream) {
    return launch(reduce_kernel, plan->count[list], THREADS, THREADS * (int)sizeof(float4), stream, tiles + plan->first[list], partials, low_rank);
}

namespace {

int launch_shrink(
    const plora_lora_plan *plan, const plora_tile *tiles, int list, const plora_term *terms, const int64_t *dropout_keys,
    const void *x, void *low_rank, void *workspace, void *stream) {
    LoraArguments g = lora_arguments(plan, tiles + plan->first[list], terms, dropout_keys, workspace);
    g.x = (const bf16 *)x;
    g.low_rank = (bf16 *)low_rank;
    if (plan->cluster_rows > 0) return launch_cluster_shrink(plan, g, stream);
    g.behind = list == PLORA_LINEAR_SHRINK;
    int stage = (ROWS + plan->shrink_ranks) * SHRINK_DEPTH * 2;
    int shared = SHRINK_STAGES * stage + plan->shrink_ranks * (int)sizeof(ShrinkColumn);
    PLORA_TRY(launch(shrink_kernel, plan->count[list], SHRINK_THREADS, shared, stream, g));
    return g.behind ? PLORA_OK : launch_reduce(plan, tiles, PLORA_SHRINK_REDUCE, g.partials, g.low_rank, stream);
}

}  // namespace

int shrink_behind(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    void *low_rank, void *workspace, void *stream) {
    return launch_shrink(plan, tiles, PLORA_LINEAR_SHRINK, terms, dropout_keys, x, low_rank, workspace, stream);
}

}  // namespace plora

using namespace plora;

int plora_lora_shrink(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    void *low_rank, void *workspace, void *stream) {
    return launch_shrink(plan, tiles, PLORA_SHRINK, terms, dropout_keys, x, low_rank, workspace, stream);
}
