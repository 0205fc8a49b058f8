// Gradients of A and B on Hopper GPUs (sm_90a): the kernels of lora.cu with products of warpgroups, which read operands from
// shared memory themselves and leave the multiprocessor waiting for memory alone. Beside a frozen product that leaves
// multiprocessors idle in its last turn, dB goes with dA, and dS alone is made before it.
#ifndef PLORA_EMULATE

#include <algorithm>

#include "hopper.cuh"
#include "lora.cuh"

namespace plora {
namespace {

constexpr int A_TILE = ROWS * 64;  // elements of a tile of 64 columns
constexpr int A_STAGE = 3 * A_TILE;

#if defined(PLORA_HOPPER)

__device__ inline int warpgroup() { return (int)threadIdx.x / WARPGROUP; }

// Row of a warpgroup's 64 x N sums that this thread has, and 8 further down.
__device__ inline int sum_row(int half) { return (int)threadIdx.x % WARPGROUP / 32 * 16 + fragment_row() + half * 8; }

// Overwrites four neighbours of a gradient, aligned to 16 bytes, or adds to them.
template <bool OVERWRITE>
__device__ inline void put_quad(float *to, const float4 &quad) {
    if (OVERWRITE) {
        *(float4 *)to = quad;
    } else {
        add_quad(to, quad);
    }
}

// ---- gradient b ----

// dB of 64 outputs; each warpgroup has half of the low-rank columns.
template <int N, bool OVERWRITE>
__device__ void store_b(const plora_tile &t, const plora_term &term, const float (&sums)[N / 4], int column) {
    int first = warpgroup() * N / 2;
    int ranks = min(t.ranks, term.rank - t.part_rank);  // without padding
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int output = column + sum_row(half);
        bool valid = output < t.column + t.columns;
        float *row = term.gradient_b + (int64_t)(output - t.part_column) * term.rank + t.part_rank;
        if (N >= 32 && term.rank % 4 == 0) {
#pragma unroll
            for (int n = 0; n < N / 16; n += 2) {
                float4 quad = gather_quad(sums + n * 4 + half * 2, sums + n * 4 + 4 + half * 2);
                int rank = first + n * 8 + quad_column();
                if (valid && rank < ranks) put_quad<OVERWRITE>(row + rank, quad);
            }
            continue;
        }
#pragma unroll
        for (int n = 0; n < N / 16 && valid; n++) {
            int rank = first + n * 8 + fragment_column();
            float low = sums[n * 4 + half * 2], high = sums[n * 4 + half * 2 + 1];
            if (term.rank % 2 == 0) {
                if (rank < ranks) put_pair<OVERWRITE>(row + rank, low, high);
            } else {
                if (rank < ranks) row[rank] = OVERWRITE ? low : row[rank] + low;
                if (rank + 1 < ranks) row[rank + 1] = OVERWRITE ? high : row[rank + 1] + high;
            }
        }
    }
}

// dS of 64 rows from row0 and COLUMNS low-rank columns from column0.
template <int COLUMNS>
__device__ void store_s(
    const LoraArguments &g, const plora_tile &t, const float (&sums)[COLUMNS / 2], float scale, int row0, int column0) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = row0 + sum_row(half);
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++) {
            int column = column0 + n * 8 + fragment_column();
            if (row < t.rows && column < t.ranks) {
                put_low_rank_gradient(g, t, row, column, sums[n * 4 + half * 2] * scale, sums[n * 4 + half * 2 + 1] * scale);
            }
        }
    }
}

// What one pass over dY makes.
enum class Pass { S, B, BOTH };

// GROUPS x R rows of the segment at a time. Of dS, each warpgroup has 64 of 128 rows, or half of the columns of 64 rows.
template <int R, int N, int GROUPS, Pass PASS>
__device__ void gradient_b_tile(const LoraArguments &g, const plora_tile &t) {
    constexpr bool MAKES_S = PASS != Pass::B, MAKES_B = PASS != Pass::S;
    constexpr int C = GRADIENT_B_COLUMNS, STAGES = GRADIENT_B_STAGES, DY = R * C, STAGE = DY + (MAKES_S ? C * N : 0);
    constexpr int S_COLUMNS = R == 128 ? N : N / 2;
    bf16 *s_tile = (bf16 *)shared_memory();
    bf16 *stages = s_tile + GROUPS * R * N;
    const plora_term term = adapter_terms(g, t)[t.part];
    int s_row = R == 128 ? warpgroup() * 64 : 0, s_column = R == 128 ? 0 : warpgroup() * S_COLUMNS;
    if (!g.behind) {
        gradient_b_prefetch(g, t, term);
        wait_for_previous_first();
    }
    int row0 = 0;
    do {  // once for a segment without rows, to overwrite its gradient with zeros
        int loaded = 0;
        auto load = [&] {
            bf16 *stage = stages + loaded % STAGES * STAGE;
            int column = loaded / GROUPS * C * t.turns;
            if (column < t.columns) {
                gradient_b_load_dy<R>(g, t, stage, row0 + loaded % GROUPS * R, t.column + column);
                if (MAKES_S) gradient_b_load_b<N>(t, term, stage + DY, t.column + column);
            }
            copy_commit();
            loaded++;
        };
        if (MAKES_B) gradient_b_load_s<GROUPS * R, N>(g, t, s_tile, row0);
        for (int stage = 0; stage < STAGES - 1; stage++) load();
        float sums_s[GROUPS][S_COLUMNS / 2] = {};
        int step = 0;
        for (int column = 0; column < t.columns; column += C * t.turns) {
            float sums_b[N / 4] = {};
#pragma unroll
            for (int group = 0; group < GROUPS; group++) {
                copy_wait<STAGES - 2>();
                show_shared();
                __syncthreads();
                load();
                bf16 *dy = stages + step++ % STAGES * STAGE;
                uint64_t rows = operand(dy + s_row * C), b = operand_transposed<N>(dy + DY + s_column);
                uint64_t outputs = operand_transposed<C>(dy);
                uint64_t s = operand_transposed<N>(s_tile + group * R * N + warpgroup() * N / 2);
                products_begin();
#pragma unroll
                for (int k = 0; MAKES_S && k < C / 16; k++) {
                    multiply_narrow<S_COLUMNS, false, true>(sums_s[group], rows + k * 2, b + k * 2 * N);
                }
#pragma unroll
                for (int k = 0; MAKES_B && k < R / 16; k++) {
                    multiply_narrow<N / 2, true, true>(sums_b, outputs + k * 2 * C, s + k * 2 * N);
                }
                products_commit();
                products_wait<0>();
                hold(sums_s[group]);
                hold(sums_b);
            }
            if (!MAKES_B) continue;
            if (t.overwrite && row0 == 0) {
                store_b<N, true>(t, term, sums_b, t.column + column);
            } else {
                store_b<N, false>(t, term, sums_b, t.column + column);
            }
        }
#pragma unroll
        for (int group = 0; MAKES_S && group < GROUPS; group++) {
            store_s<S_COLUMNS>(g, t, sums_s[group], term.scale, row0 + group * R + s_row, s_column);
        }
        copy_wait<0>();
        __syncthreads();
        row0 += GROUPS * R;
    } while (row0 < t.rows);
}

template <int N, Pass PASS>
__device__ void gradient_b_rows(const LoraArguments &g, const plora_tile &t) {
    if (t.splits == 64) {
        gradient_b_tile<64, N, 1, PASS>(g, t);
    } else if (t.splits == 128) {
        gradient_b_tile<128, N, 1, PASS>(g, t);
    } else {
        gradient_b_tile<128, N, 2, PASS>(g, t);
    }
}

template <Pass PASS, bool WIDE>
__device__ void gradient_b_ranks(const LoraArguments &g, const plora_tile &t) {
    if (t.ranks <= 16) {
        gradient_b_rows<16, PASS>(g, t);
    } else if (!WIDE || t.ranks <= 32) {
        gradient_b_rows<32, PASS>(g, t);
    } else {
        gradient_b_rows<64, PASS>(g, t);
    }
}

// ---- gradient a ----

__device__ void load_a(const LoraArguments &g, const plora_tile &t, bf16 *stage, int row0, int column, bool with_s) {
    int rows = t.rows - row0;
    const bf16 *x = g.x + (int64_t)(t.row + row0) * g.inputs + t.column + column;
#pragma unroll
    for (int tile = 0; tile < 2; tile++) {
        int columns = t.columns - column - tile * 64;
        copy_tile_async<ROWS, 64, THREADS>(stage + tile * A_TILE, x + tile * 64, g.inputs, [&](int row, int chunk) {
            return row < rows && chunk * CHUNK < columns ? 16 : 0;
        });
    }
    if (!with_s) return;
    const bf16 *s = g.low_rank_gradient + t.low_rank + t.rank + (int64_t)row0 * t.stride;
    copy_tile_async<ROWS, 64, THREADS>(stage + 2 * A_TILE, s, t.stride, [&](int row, int chunk) {
        return row < rows && chunk * CHUNK < t.ranks ? 16 : 0;
    });
}

template <bool OVERWRITE>
__device__ void store_a(const plora_tile &t, float *const (&gradients)[2], const float (&sums)[32], float scale, int column) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int n = 0; n < 8; n += 2) {
            float4 quad = gather_quad(sums + n * 4 + half * 2, sums + n * 4 + 4 + half * 2);
            int at = column + warpgroup() * 64 + n * 8 + quad_column();
            if (gradients[half] != nullptr && at < t.columns) {
                put_quad<OVERWRITE>(gradients[half] + at, {quad.x * scale, quad.y * scale, quad.z * scale, quad.w * scale});
            }
        }
    }
}

// Up to 64 low-rank columns; each warpgroup has 64 of 128 inputs.
__device__ void gradient_a_tile(const LoraArguments &g, const plora_tile &t) {
    constexpr int STAGES = GRADIENT_A_STAGES;
    bf16 *stages = (bf16 *)shared_memory();
    const plora_term *terms = adapter_terms(g, t);
    Mask mask = mask_of(g, terms, t.part);
    float *gradients[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int rank;
        const plora_term *term = sum_row(half) < t.ranks ? term_at(terms, g.parts, t.rank + sum_row(half), rank) : nullptr;
        gradients[half] = term == nullptr ? nullptr : term->gradient_a + (int64_t)rank * g.inputs + t.column;
    }
    if (!g.behind) wait_for_previous();
    RowsFirst<GRADIENT_A_COLUMNS> ahead, now;
    int loaded = 0;
    auto load = [&] {
        // rows that fit one step stay in each stage once they are there
        bool with_s = t.rows > ROWS || loaded < STAGES;
        if (ahead.column < t.columns) load_a(g, t, stages + loaded % STAGES * A_STAGE, ahead.row, ahead.column, with_s);
        copy_commit();
        ahead.advance(t);
        loaded++;
    };
    for (int stage = 0; stage < STAGES - 1; stage++) load();
    float sums[32] = {};
    for (int step = 0; now.column < t.columns; step++) {
        bf16 *stage = stages + step % STAGES * A_STAGE;
        copy_wait<STAGES - 2>();
        if (mask.threshold != 0) {
#pragma unroll
            for (int tile = 0; tile < 2; tile++) {
                drop_tile<64, THREADS>(g, t, mask, stage + tile * A_TILE, now.row, t.column + now.column + tile * 64);
            }
        }
        show_shared();
        __syncthreads();
        load();
        uint64_t s = operand_transposed<64>(stage + 2 * A_TILE), x = operand_transposed<64>(stage + warpgroup() * A_TILE);
        products_begin();
#pragma unroll
        for (int k = 0; k < ROWS / 16; k++) multiply_narrow<64, true, true>(sums, s + k * 128, x + k * 128);
        products_commit();
        products_wait<0>();
        hold(sums);
        int column = now.column;
        now.advance(t);
        if (now.row == 0) {
            if (t.overwrite) {
                store_a<true>(t, gradients, sums, mask.keep_scale, column);
            } else {
                store_a<false>(t, gradients, sums, mask.keep_scale, column);
            }
#pragma unroll
            for (int i = 0; i < 32; i++) sums[i] = 0.0f;
        }
    }
    copy_wait<0>();
}

#endif

// Wide: with tiles of more than 32 ranks, whose sums take more registers.
template <bool WIDE, bool WITH_B>
__global__ void __launch_bounds__(THREADS, WIDE ? 2 : 3) gradient_b_kernel(LoraArguments g) {
#if defined(PLORA_HOPPER)
    const plora_tile t = g.tiles[blockIdx.x];  // a copy: by reference it would be read again in each step
    gradient_b_ranks<WITH_B ? Pass::BOTH : Pass::S, WIDE>(g, t);
#endif
}

// The first `b_count` tiles are of dB, others of dA.
__global__ void __launch_bounds__(THREADS, 3) gradients_kernel(LoraArguments g, int b_count) {
#if defined(PLORA_HOPPER)
    const plora_tile t = g.tiles[blockIdx.x];
    if ((int)blockIdx.x < b_count) {
        gradient_b_ranks<Pass::B, true>(g, t);
    } else {
        gradient_a_tile(g, t);
    }
    end_behind(g);
#endif
}

}  // namespace

int launch_gradient_b_hopper(const plora_lora_plan *plan, const LoraArguments &g, bool with_b, void *stream) {
    auto kernel = plan->gradient_b_ranks > 32 ? (with_b ? gradient_b_kernel<true, true> : gradient_b_kernel<true, false>)
                                              : (with_b ? gradient_b_kernel<false, true> : gradient_b_kernel<false, false>);
    return launch(kernel, plan->count[PLORA_GRADIENT_B], THREADS, plan->gradient_b_shared, stream, g);
}

int launch_gradients_hopper(const plora_lora_plan *plan, const LoraArguments &all, void *stream) {
    static_assert(PLORA_LINEAR_GRADIENT_B + 1 == PLORA_LINEAR_GRADIENT_A, "tiles one after the other");
    LoraArguments g = all;
    g.tiles += plan->first[PLORA_LINEAR_GRADIENT_B];
    int b = plan->count[PLORA_LINEAR_GRADIENT_B], a = plan->count[PLORA_LINEAR_GRADIENT_A];
    int shared = std::max(GRADIENT_A_STAGES * A_STAGE * 2, b == 0 ? 0 : plan->gradient_b_shared);
    return launch(gradients_kernel, b + a, THREADS, shared, stream, g, b);
}

}  // namespace plora

#endif
