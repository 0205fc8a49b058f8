// Packed LoRA: the low-rank terms of all adapters of a group in a fixed number of launches.
//
// Forward   S = scale drop(X) A^T        shrink, split along the inputs, then a sum of the partial results
//           Y (+)= bias + S B^T          expand
// Backward  dB += dY^T S and             gradient b: both from one pass over dY, dS split along the outputs
//           dS = scale dY B              (the gradient of S without its scale, which has both A and X behind it)
//           dX = mask(dS A)              gradient x, and in the same launch
//           dA += dS^T drop(X)           gradient a
// Of few rows on Hopper GPUs, S and dS are made by clusters (lora_cluster.cu), and gradient b goes with the other gradients.
// (PLoRA, appendix C.) The cost is memory traffic, so each kernel streams its large operand through shared memory once,
// several steps ahead. Operands and S are bf16, sums f32; S and dS are rounded to bf16 once, when complete. Where a sum is
// cut into pieces, each has its own place in the workspace and the pieces are added in order; an element of a gradient gets
// its sums from one thread (on sm_90 by reductions in L2, which nobody waits for): the same bits every time. Rows outside a
// segment are zeros in shared memory, so nothing passes from one adapter to another.
#include "lora.h"

#include <algorithm>

#include "lora.cuh"

namespace plora {
namespace {

// ---- expand: out = S B^T, or dS A, where the operand lies the other way and parts may have masks ----

// Low-rank columns of one step, within one part.
struct Piece {
    const bf16 *operand;  // B at (part's first output, rank), or A at (rank, 0)
    int operand_stride;
    int rank;             // first low-rank column
    int ranks;            // low-rank columns, a multiple of 8; may be 0
    int valid;            // of them not padding
    int ends_part;        // the part, or -1
};

constexpr int MAX_PIECES = MAX_PARTS * MAX_RANK / 64;

// Writes the pieces of a tile and returns how many there are: at least one, be it empty.
template <int K, bool TO_X>
__device__ int list_pieces(const LoraArguments &g, const plora_tile &t, Piece *pieces) {
    const plora_term *terms = adapter_terms(g, t);
    int first = TO_X ? 0 : max(t.part, 0);
    int end = TO_X ? g.parts : t.part + 1;
    int count = 0, offset = t.rank;
    for (int part = first; part < end; part++) {
        const plora_term &term = terms[part];
        int width = (term.rank + 7) / 8 * 8;
        for (int r = 0; r < width; r += K) {
            if (threadIdx.x == 0) {
                Piece &piece = pieces[count];
                piece.operand = TO_X ? (const bf16 *)term.a + (int64_t)r * g.inputs : (const bf16 *)term.b + r;
                piece.operand_stride = TO_X ? g.inputs : term.b_stride;
                piece.rank = offset + r;
                piece.ranks = min(K, width - r);
                piece.valid = min(K, term.rank - r);
                piece.ends_part = r + K >= width ? part : -1;
            }
            count++;
        }
        offset += width;
    }
    if (count == 0 && threadIdx.x == 0) pieces[0] = {nullptr, 0, 0, 0, 0, -1};
    __syncthreads();
    return max(count, 1);
}

template <int K, bool TO_X>
__device__ void expand_load_s(const LoraArguments &g, const plora_tile &t, const Piece &piece, bf16 *s_tile) {
    const bf16 *s = (TO_X ? g.low_rank_gradient : g.low_rank) + t.low_rank + piece.rank;
    copy_tile_async<ROWS, K, THREADS>(s_tile, s, t.stride, [&](int row, int chunk) {
        return row < t.rows && chunk * CHUNK < piece.ranks ? 16 : 0;
    });
}

template <int K, bool TO_X>
__device__ void expand_load(const plora_tile &t, const Piece &piece, bf16 *operand_tile, int column) {
    int columns = t.column + t.columns - column, stride = piece.operand_stride;
    if (TO_X) {
        copy_tile_async<K, EXPAND_COLUMNS, THREADS>(operand_tile, piece.operand + column, stride, [&](int rank, int chunk) {
            return rank < piece.valid && chunk * CHUNK < columns ? 16 : 0;
        });
    } else {
        const bf16 *from = piece.operand + (column - t.part_column) * stride;
        copy_tile_async<EXPAND_COLUMNS, K, THREADS>(operand_tile, from, stride, [&](int n, int chunk) {
            return n < columns ? min(max(piece.valid - chunk * CHUNK, 0), CHUNK) * 2 : 0;
        });
    }
}

// Fetches what the tile's first step reads of the operand, and of what is added to the results, while others are at work.
template <int K, bool TO_X>
__device__ void expand_prefetch(const LoraArguments &g, const plora_tile &t, const Piece &piece) {
    constexpr int LINE = 64;  // elements
    int columns = min(t.columns, EXPAND_COLUMNS);
    int row = (int)threadIdx.x / (EXPAND_COLUMNS / LINE), column = (int)threadIdx.x % (EXPAND_COLUMNS / LINE) * LINE;
    if (TO_X) {
        if (row < piece.valid && column < columns) prefetch(piece.operand + (int64_t)row * piece.operand_stride + t.column + column);
    } else if ((int)threadIdx.x < columns && piece.valid > 0) {
        prefetch(piece.operand + (int64_t)(t.column - t.part_column + (int)threadIdx.x) * piece.operand_stride);
    }
    int width = TO_X ? g.inputs : g.outputs;
    if (g.add != nullptr && row < t.rows && column < columns) prefetch(g.add + (int64_t)(t.row + row) * width + t.column + column);
}

template <int K, bool TO_X>
__device__ void expand_multiply(float (&sums)[8][4], bf16 *s_tile, bf16 *operand_tile, int ranks) {
    int warp = threadIdx.x / 32;
    int slab = warp % 4 * 16, first = warp / 4 * 64;
#pragma unroll
    for (int k = 0; k < K; k += 16) {
        if (k < ranks) {
            uint32_t left[4], right[4];
            load_left<K>(left, s_tile, slab, k);
#pragma unroll
            for (int n = 0; n < 64; n += 16) {
                if (TO_X) {
                    load_right_transposed<EXPAND_COLUMNS>(right, operand_tile, first + n, k);
                } else {
                    load_right<K>(right, operand_tile, first + n, k);
                }
                multiply(sums[n / 8], left, right[0], right[1]);
                multiply(sums[n / 8 + 1], left, right[2], right[3]);
            }
        }
    }
}

// Adds a part's sums to the total, masked, and clears them.
__device__ void add_masked(
    const LoraArguments &g, const plora_tile &t, const Mask &mask, float (&total)[8][4], float (&sums)[8][4], int column) {
    int warp = threadIdx.x / 32;
#pragma unroll
    for (int n = 0; n < 8; n++) {
        int at = column + warp / 4 * 64 + n * 8 + fragment_column();
        uint64_t key = mask.threshold != 0 ? column_key(mask.module, at / 4) : 0;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int row = warp % 4 * 16 + fragment_row() + half * 8;
            bool drop_low = false, drop_high = false;
            if (mask.threshold != 0 && row < t.rows) {
                uint32_t bits = (uint32_t)(drop_bits((uint64_t)g.keys[t.row + row], key) >> (16 * (at & 2)));
                drop_low = (bits & 0xffff) < mask.threshold;
                drop_high = (bits >> 16) < mask.threshold;
            }
            total[n][half * 2] += drop_low ? 0.0f : sums[n][half * 2] * mask.keep_scale;
            total[n][half * 2 + 1] += drop_high ? 0.0f : sums[n][half * 2 + 1] * mask.keep_scale;
            sums[n][half * 2] = sums[n][half * 2 + 1] = 0.0f;
        }
    }
}

// Two neighbours of a row of bf16.
__device__ inline float2 pair_at(const bf16 *p) {
    uint32_t pair = *(const uint32_t *)p;
    return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u)};
}

// What is added to two neighbouring results.
__device__ inline float2 below(const LoraArguments &g, const plora_tile &t, int row, int column, int width) {
    float2 sum = {0.0f, 0.0f};
    if (row < t.rows && column < t.column + t.columns) {
        if (g.bias != nullptr) sum = pair_at(g.bias + column);
        if (g.add != nullptr) {
            float2 old = pair_at(g.add + (int64_t)(t.row + row) * width + column);
            sum = {sum.x + old.x, sum.y + old.y};
        }
    }
    return sum;
}

// Writes a warp's 16 x 64 results, eight columns a thread, 64 bytes a row together.
template <bool TO_X>
__device__ void expand_store(const LoraArguments &g, const plora_tile &t, float (&sums)[8][4], int column) {
    int warp = threadIdx.x / 32;
    int width = TO_X ? g.inputs : g.outputs;
    bool alone = g.bias == nullptr && g.add == nullptr;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = warp % 4 * 16 + fragment_row() + half * 8;
#pragma unroll
        for (int group = 0; group < 2; group++) {
            int first = column + warp / 4 * 64 + group * 32;
            uint32_t pairs[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float(&block)[4] = sums[group * 4 + i];
                float2 add = alone ? float2{0.0f, 0.0f} : below(g, t, row, first + i * 8 + fragment_column(), width);
                pairs[i] = pack(block[half * 2] + add.x, block[half * 2 + 1] + add.y);
            }
            uint4 result = gather_block(pairs);
            __syncwarp();  // all have read what is there
            int at = first + (threadIdx.x & 3) * CHUNK;
            if (row < t.rows && at < t.column + t.columns) {
                *(uint4 *)(g.out + (int64_t)(t.row + row) * width + at) = result;
            }
        }
    }
}

template <int K, bool TO_X, bool MASKED>
__device__ void expand_tile(const LoraArguments &g, const plora_tile &t) {
    constexpr int S = ROWS * K, STAGE = S + EXPAND_COLUMNS * K, STAGES = expand_stages(K);
    bf16 *stages = (bf16 *)shared_memory();
    Piece *pieces = (Piece *)(stages + STAGES * STAGE);
    int count = list_pieces<K, TO_X>(g, t, pieces);
    int steps = divide_up(t.columns, EXPAND_COLUMNS) * count;
    const plora_term *terms = adapter_terms(g, t);
    auto load = [&](int step) {
        bf16 *stage = stages + step % STAGES * STAGE;
        const Piece &piece = pieces[step % count];
        if (step < steps && piece.ranks > 0) {
            // a single piece stays in each stage once it is there
            if (count > 1 || step < STAGES) expand_load_s<K, TO_X>(g, t, piece, stage);
            expand_load<K, TO_X>(t, piece, stage + S, t.column + step / count * EXPAND_COLUMNS);
        }
        copy_commit();
    };
    expand_prefetch<K, TO_X>(g, t, pieces[0]);
    wait_for_previous();
    for (int step = 0; step < STAGES - 1; step++) load(step);
    float sums[8][4] = {};
    float total[8][4] = {};  // of the parts' masked sums
    for (int step = 0; step < steps; step++) {
        copy_wait<STAGES - 2>();
        __syncthreads();
        load(step + STAGES - 1);
        bf16 *stage = stages + step % STAGES * STAGE;
        const Piece &piece = pieces[step % count];
        int column = t.column + step / count * EXPAND_COLUMNS;
        expand_multiply<K, TO_X>(sums, stage, stage + S, piece.ranks);
        if (MASKED && piece.ends_part >= 0) add_masked(g, t, mask_of(g, terms, piece.ends_part), total, sums, column);
        if (step % count == count - 1) {
            float(&result)[8][4] = MASKED ? total : sums;
            expand_store<TO_X>(g, t, result, column);
#pragma unroll
            for (int n = 0; n < 8; n++) result[n][0] = result[n][1] = result[n][2] = result[n][3] = 0.0f;
        }
    }
    copy_wait<0>();
}

template <int K>
__global__ void __launch_bounds__(THREADS, 4) expand_kernel(LoraArguments g) {
    const plora_tile t = g.tiles[blockIdx.x];
    expand_tile<K, false, false>(g, t);
}

// ---- gradient a: sums over all rows of a segment ----

__device__ void gradient_a_load_x(const LoraArguments &g, const plora_tile &t, bf16 *x_tile, int row0, int column) {
    int rows = t.rows - row0, columns = t.columns - column;
    const bf16 *x = g.x + (int64_t)(t.row + row0) * g.inputs + t.column + column;
    copy_tile_async<ROWS, GRADIENT_A_COLUMNS, THREADS>(x_tile, x, g.inputs, [&](int row, int chunk) {
        return row < rows && chunk * CHUNK < columns ? 16 : 0;
    });
}

// 64 rows of S or dS.
template <int M>
__device__ void gradient_load_s(const bf16 *low_rank, const plora_tile &t, bf16 *s_tile, int row0) {
    int rows = t.rows - row0;
    const bf16 *s = low_rank + t.low_rank + t.rank + (int64_t)row0 * t.stride;
    copy_tile_async<ROWS, M, THREADS>(s_tile, s, t.stride, [&](int row, int chunk) {
        return row < rows && chunk * CHUNK < t.ranks ? 16 : 0;
    });
}

// Fetches what the first step reads of X, which the forward pass left, while others are at work.
__device__ void gradient_a_prefetch(const LoraArguments &g, const plora_tile &t) {
    constexpr int LINE = 64;  // elements
    int row = (int)threadIdx.x / (GRADIENT_A_COLUMNS / LINE), column = (int)threadIdx.x % (GRADIENT_A_COLUMNS / LINE) * LINE;
    if (row < min(t.rows, ROWS) && column < t.columns) prefetch(g.x + (int64_t)(t.row + row) * g.inputs + t.column + column);
}

template <int M>
struct GradientA {
    static constexpr int WARPS_M = M / 16;                                      // warps along the ranks, 16 each
    static constexpr int BLOCKS = GRADIENT_A_COLUMNS / 8 / (8 / WARPS_M);       // of 8 columns, of a warp
    float sums[BLOCKS][4];
    float *gradients[2];  // rows of this thread, null where there is none

    __device__ int m0() const { return (int)threadIdx.x / 32 % WARPS_M * 16; }
    __device__ int n0() const { return (int)threadIdx.x / 32 / WARPS_M * BLOCKS * 8; }

    __device__ void clear() {
#pragma unroll
        for (int n = 0; n < BLOCKS; n++) sums[n][0] = sums[n][1] = sums[n][2] = sums[n][3] = 0.0f;
    }

    __device__ void find_gradients(const LoraArguments &g, const plora_tile &t, const plora_term *terms) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int m = m0() + fragment_row() + half * 8, rank;
            const plora_term *term = m < t.ranks ? term_at(terms, g.parts, t.rank + m, rank) : nullptr;
            gradients[half] = term == nullptr ? nullptr : term->gradient_a + (int64_t)rank * g.inputs + t.column;
        }
    }

    __device__ void add(bf16 *x_tile, bf16 *s_tile, int rows) {
#pragma unroll
        for (int k = 0; k < ROWS; k += 16) {
            if (k < rows) {
                uint32_t left[4], right[4];
                load_left_transposed<M>(left, s_tile, m0(), k);
#pragma unroll
                for (int n = 0; n < BLOCKS; n += 2) {
                    load_right_transposed<GRADIENT_A_COLUMNS>(right, x_tile, n0() + n * 8, k);
                    multiply(sums[n], left, right[0], right[1]);
                    multiply(sums[n + 1], left, right[2], right[3]);
                }
            }
        }
    }

    template <bool OVERWRITE>
    __device__ void store(const plora_tile &t, float scale, int first) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            if (gradients[half] == nullptr) continue;
#pragma unroll
            for (int n = 0; n < BLOCKS; n++) {
                int column = first + n0() + n * 8 + fragment_column();
                if (column < t.columns) {
                    put_pair<OVERWRITE>(gradients[half] + column, sums[n][half * 2] * scale, sums[n][half * 2 + 1] * scale);
                }
            }
        }
    }
};

template <int M>
__device__ void gradient_a_tile(const LoraArguments &g, const plora_tile &t) {
    constexpr int X = ROWS * GRADIENT_A_COLUMNS, STAGE = X + ROWS * M, STAGES = GRADIENT_A_STAGES;
    bf16 *stages = (bf16 *)shared_memory();
    const plora_term *terms = adapter_terms(g, t);
    Mask mask = mask_of(g, terms, t.part);
    GradientA<M> gradient;
    gradient.find_gradients(g, t, terms);
    gradient.clear();
    gradient_a_prefetch(g, t);
    wait_for_previous();
    RowsFirst<GRADIENT_A_COLUMNS> ahead, now;
    int loaded = 0;
    auto load = [&] {
        bf16 *stage = stages + loaded % STAGES * STAGE;
        if (ahead.column < t.columns) {
            gradient_a_load_x(g, t, stage, ahead.row, ahead.column);
            // rows that fit one step stay in each stage once they are there
            if (t.rows > ROWS || loaded < STAGES) gradient_load_s<M>(g.low_rank_gradient, t, stage + X, ahead.row);
        }
        copy_commit();
        ahead.advance(t);
        loaded++;
    };
    for (int stage = 0; stage < STAGES - 1; stage++) load();
    for (int step = 0; now.column < t.columns; step++) {
        bf16 *stage = stages + step % STAGES * STAGE;
        copy_wait<STAGES - 2>();
        if (mask.threshold != 0) {
            drop_tile<GRADIENT_A_COLUMNS, THREADS>(g, t, mask, stage, now.row, t.column + now.column);
        }
        __syncthreads();
        load();
        gradient.add(stage, stage + X, t.rows - now.row);
        int column = now.column;
        now.advance(t);
        if (now.row == 0) {
            if (t.overwrite) {
                gradient.template store<true>(t, mask.keep_scale, column);
            } else {
                gradient.template store<false>(t, mask.keep_scale, column);
            }
            gradient.clear();
        }
    }
    copy_wait<0>();
}

// ---- gradient b: dB and dS from one pass over dY ----

// One 8 x 8 block's right operand of the two that were loaded.
__device__ inline void multiply_one(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[4], bool second) {
    multiply(d, a, second ? b[2] : b[0], second ? b[3] : b[1]);
}

// Sums of BLOCKS x 8 columns from n0: pairs of blocks, or one block of a pair.
template <int BLOCKS, int COLUMNS, int SLABS>
__device__ inline void multiply_transposed(
    float (&sums)[SLABS][BLOCKS][4], const uint32_t (&left)[SLABS][4], bf16 *tile, int n0, int k) {
    uint32_t right[4];
    if constexpr (BLOCKS == 1) {
        load_right_transposed<COLUMNS>(right, tile, n0 / 16 * 16, k);
#pragma unroll
        for (int slab = 0; slab < SLABS; slab++) multiply_one(sums[slab][0], left[slab], right, n0 % 16 != 0);
    } else {
#pragma unroll
        for (int n = 0; n < BLOCKS; n += 2) {
            load_right_transposed<COLUMNS>(right, tile, n0 + n * 8, k);
#pragma unroll
            for (int slab = 0; slab < SLABS; slab++) {
                multiply(sums[slab][n], left[slab], right[0], right[1]);
                multiply(sums[slab][n + 1], left[slab], right[2], right[3]);
            }
        }
    }
}

// dB of 64 outputs.
template <int N>
struct GradientB {
    static constexpr int BLOCKS = N / 16;
    float sums[1][BLOCKS][4];

    __device__ int m0() const { return (int)threadIdx.x / 32 % 4 * 16; }
    __device__ int n0() const { return (int)threadIdx.x / 32 / 4 * BLOCKS * 8; }

    template <int R>
    __device__ void add(bf16 *dy_tile, bf16 *s_tile, int rows) {
#pragma unroll 4
        for (int k = 0; k < R; k += 16) {
            if (k < rows) {
                uint32_t left[1][4];
                load_left_transposed<GRADIENT_B_COLUMNS>(left[0], dy_tile, m0(), k);
                multiply_transposed<BLOCKS, N, 1>(sums, left, s_tile, n0(), k);
            }
        }
    }

    template <bool OVERWRITE>
    __device__ void store(const plora_tile &t, const plora_term &term, int column) {
        int end = t.column + t.columns;
        int ranks = min(t.ranks, term.rank - t.part_rank);  // without padding
        bool paired = term.rank % 2 == 0;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int output = column + m0() + fragment_row() + half * 8;
            if (output >= end) continue;
            float *row = term.gradient_b + (output - t.part_column) * term.rank + t.part_rank;
#pragma unroll
            for (int n = 0; n < BLOCKS; n++) {
                int rank = n0() + n * 8 + fragment_column();
                float low = sums[0][n][half * 2], high = sums[0][n][half * 2 + 1];
                if (paired) {
                    if (rank < ranks) put_pair<OVERWRITE>(row + rank, low, high);
                } else {
                    if (rank < ranks) row[rank] = OVERWRITE ? low : row[rank] + low;
                    if (rank + 1 < ranks) row[rank + 1] = OVERWRITE ? high : row[rank + 1] + high;
                }
            }
        }
    }
};

template <int R, int N>
struct GradientS {
    static constexpr int WARPS_M = R / 16 < 8 ? R / 16 : 8;
    static constexpr int SLABS = R / 16 / WARPS_M;
    static constexpr int BLOCKS = N / 8 / (8 / WARPS_M);
    float sums[SLABS][BLOCKS][4];

    __device__ int m0() const { return (int)threadIdx.x / 32 % WARPS_M * SLABS * 16; }
    __device__ int n0() const { return (int)threadIdx.x / 32 / WARPS_M * BLOCKS * 8; }

    __device__ void add(bf16 *dy_tile, bf16 *b_tile) {
#pragma unroll
        for (int k = 0; k < GRADIENT_B_COLUMNS; k += 16) {
            uint32_t left[SLABS][4];
#pragma unroll
            for (int slab = 0; slab < SLABS; slab++) {
                load_left<GRADIENT_B_COLUMNS>(left[slab], dy_tile, m0() + slab * 16, k);
            }
            multiply_transposed<BLOCKS, N, SLABS>(sums, left, b_tile, n0(), k);
        }
    }

    __device__ void store(const LoraArguments &g, const plora_tile &t, float scale, int row0) const {
#pragma unroll
        for (int slab = 0; slab < SLABS; slab++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int row = row0 + m0() + slab * 16 + fragment_row() + half * 8;
#pragma unroll
                for (int n = 0; n < BLOCKS; n++) {
                    int column = n0() + n * 8 + fragment_column();
                    if (row < t.rows && column < t.ranks) {
                        const float *pair = sums[slab][n] + half * 2;
                        put_low_rank_gradient(g, t, row, column, pair[0] * scale, pair[1] * scale);
                    }
                }
            }
        }
    }
};

// GROUPS x R rows of the segment at a time, so that dB is complete, or nearly, when it is written.
template <int R, int N, int GROUPS>
__device__ void gradient_b_tile(const LoraArguments &g, const plora_tile &t) {
    constexpr int C = GRADIENT_B_COLUMNS, STAGES = GRADIENT_B_STAGES, DY = R * C, STAGE = DY + C * N;
    bf16 *s_tile = (bf16 *)shared_memory();
    bf16 *stages = s_tile + GROUPS * R * N;
    const plora_term term = adapter_terms(g, t)[t.part];
    gradient_b_prefetch(g, t, term);
    wait_for_previous_first();
    int row0 = 0;
    do {  // once for a segment without rows, to overwrite its gradient with zeros
        int loaded = 0;
        auto load = [&] {
            bf16 *stage = stages + loaded % STAGES * STAGE;
            int column = loaded / GROUPS * C * t.turns;
            if (column < t.columns) {
                gradient_b_load_dy<R>(g, t, stage, row0 + loaded % GROUPS * R, t.column + column);
                gradient_b_load_b<N>(t, term, stage + DY, t.column + column);
            }
            copy_commit();
            loaded++;
        };
        gradient_b_load_s<GROUPS * R, N>(g, t, s_tile, row0);
        for (int stage = 0; stage < STAGES - 1; stage++) load();
        GradientS<R, N> gradient_s[GROUPS] = {};
        int step = 0;
        for (int column = 0; column < t.columns; column += C * t.turns) {
            GradientB<N> gradient_b = {};
#pragma unroll
            for (int group = 0; group < GROUPS; group++) {
                copy_wait<STAGES - 2>();
                __syncthreads();
                load();
                bf16 *stage = stages + step++ % STAGES * STAGE;
                gradient_s[group].add(stage, stage + DY);
                gradient_b.template add<R>(stage, s_tile + group * R * N, t.rows - row0 - group * R);
            }
            if (t.overwrite && row0 == 0) {
                gradient_b.template store<true>(t, term, t.column + column);
            } else {
                gradient_b.template store<false>(t, term, t.column + column);
            }
        }
#pragma unroll
        for (int group = 0; group < GROUPS; group++) gradient_s[group].store(g, t, term.scale, row0 + group * R);
        copy_wait<0>();
        __syncthreads();
        row0 += GROUPS * R;
    } while (row0 < t.rows);
}

template <int N>
__device__ void gradient_b_rows(const LoraArguments &g, const plora_tile &t) {
    if (t.splits == 64) {
        gradient_b_tile<64, N, 1>(g, t);
    } else if (t.splits == 128) {
        gradient_b_tile<128, N, 1>(g, t);
    } else {
        gradient_b_tile<128, N, 2>(g, t);
    }
}

// Wide: with tiles of more than 32 ranks, whose sums take more registers.
template <bool WIDE>
__global__ void __launch_bounds__(THREADS, WIDE ? 2 : 3) gradient_b_kernel(LoraArguments g) {
    const plora_tile t = g.tiles[blockIdx.x];
    if (t.ranks <= 16) {
        gradient_b_rows<16>(g, t);
    } else if (!WIDE || t.ranks <= 32) {
        gradient_b_rows<32>(g, t);
    } else {
        gradient_b_rows<64>(g, t);
    }
}

// dB where dS is made elsewhere: sums over all rows of a segment.
template <int N>
__device__ void gradient_b_alone(const LoraArguments &g, const plora_tile &t) {
    constexpr int DY = ROWS * GRADIENT_B_COLUMNS, STAGE = DY + ROWS * N, STAGES = GRADIENT_B_STAGES;
    bf16 *stages = (bf16 *)shared_memory();
    const plora_term &term = adapter_terms(g, t)[t.part];
    RowsFirst<GRADIENT_B_COLUMNS> ahead, now;
    GradientB<N> gradient = {};
    int loaded = 0;
    auto load = [&] {
        bf16 *stage = stages + loaded % STAGES * STAGE;
        if (ahead.column < t.columns) {
            gradient_b_load_dy<ROWS>(g, t, stage, ahead.row, t.column + ahead.column);
            if (t.rows > ROWS || loaded < STAGES) gradient_load_s<N>(g.low_rank, t, stage + DY, ahead.row);
        }
        copy_commit();
        ahead.advance(t);
        loaded++;
    };
    if ((int)threadIdx.x < min(t.rows, ROWS)) prefetch(g.low_rank + t.low_rank + t.rank + (int)threadIdx.x * t.stride);
    wait_for_previous();
    for (int stage = 0; stage < STAGES - 1; stage++) load();
    for (int step = 0; now.column < t.columns; step++) {
        bf16 *stage = stages + step % STAGES * STAGE;
        copy_wait<STAGES - 2>();
        __syncthreads();
        load();
        gradient.template add<ROWS>(stage, stage + DY, t.rows - now.row);
        int column = t.column + now.column;
        now.advance(t);
        if (now.row == 0) {
            if (t.overwrite) {
                gradient.template store<true>(t, term, column);
            } else {
                gradient.template store<false>(t, term, column);
            }
            gradient = {};
        }
    }
    copy_wait<0>();
}

// ---- gradients a and x, and b where it has no launch of its own ----

// Lists of tiles, taken by blocks one after the other; gradient x takes the rest.
struct GradientLists {
    int a_first, a_count;
    int b_first, b_count;
    int x_first;
};

// One gradient reads while the other writes.
template <int K, bool MASKED>
__global__ void __launch_bounds__(THREADS, MASKED ? 2 : 3) gradient_kernel(LoraArguments g, GradientLists lists) {
    int block = (int)blockIdx.x;
    if (block < lists.a_count) {
        const plora_tile t = g.tiles[lists.a_first + block];
        if (t.ranks <= 16) {
            gradient_a_tile<16>(g, t);
        } else if (t.ranks <= 32) {
            gradient_a_tile<32>(g, t);
        } else {
            gradient_a_tile<64>(g, t);
        }
    } else if (block < lists.a_count + lists.b_count) {
        const plora_tile t = g.tiles[lists.b_first + block - lists.a_count];
        if (t.ranks <= 16) {
            gradient_b_alone<16>(g, t);
        } else if (t.ranks <= 32) {
            gradient_b_alone<32>(g, t);
        } else {
            gradient_b_alone<64>(g, t);
        }
    } else {
        const plora_tile t = g.tiles[lists.x_first + block - lists.a_count - lists.b_count];
        expand_tile<K, true, MASKED>(g, t);
    }
}

// ---- launches ----

int expand_shared(int k) {
    return expand_stages(k) * (ROWS + EXPAND_COLUMNS) * k * 2 + MAX_PIECES * (int)sizeof(Piece);
}

int step_ranks(const plora_lora_plan *plan) { return plan->largest_rank <= 16 ? 16 : plan->largest_rank <= 32 ? 32 : 64; }

// x_list: of the tiles of gradient x
template <int K>
int launch_gradients(const plora_lora_plan *plan, const LoraArguments &g, GradientLists lists, int x_list, void *stream) {
    int x = g.out == nullptr ? 0 : plan->count[x_list];
    lists.x_first = plan->first[x_list];
    int a_shared = lists.a_count == 0 ? 0 : GRADIENT_A_STAGES * ROWS * (GRADIENT_A_COLUMNS + plan->gradient_a_ranks) * 2;
    int b_shared = lists.b_count == 0 ? 0 : GRADIENT_B_STAGES * ROWS * (GRADIENT_B_COLUMNS + plan->gradient_b_ranks) * 2;
    int shared = std::max({a_shared, b_shared, x == 0 ? 0 : expand_shared(K)});
    auto kernel = plan->drops && g.keys != nullptr ? gradient_kernel<K, true> : gradient_kernel<K, false>;
    return launch(kernel, lists.a_count + lists.b_count + x, THREADS, shared, stream, g, lists);
}

int launch_gradients(const plora_lora_plan *plan, const LoraArguments &g, const GradientLists &lists, int x_list, void *stream) {
    int k = step_ranks(plan);
    auto launch_of = k == 16 ? launch_gradients<16> : k == 32 ? launch_gradients<32> : launch_gradients<64>;
    return launch_of(plan, g, lists, x_list, stream);
}

// Gradients of a, and of b where that has no launch of its own.
GradientLists gradient_lists(const plora_lora_plan *plan) {
    bool with_b = plan->cluster_rows > 0;
    return {plan->first[PLORA_GRADIENT_A], plan->count[PLORA_GRADIENT_A], plan->first[PLORA_GRADIENT_B],
            with_b ? plan->count[PLORA_GRADIENT_B] : 0, 0};
}

int launch_expand(const plora_lora_plan *plan, const LoraArguments &g, int list, void *stream) {
    int k = step_ranks(plan);
    auto kernel = k == 16 ? expand_kernel<16> : k == 32 ? expand_kernel<32> : expand_kernel<64>;
    return launch(kernel, plan->count[list], THREADS, expand_shared(k), stream, g);
}

int launch_gradient_b(const plora_lora_plan *plan, const LoraArguments &g, [[maybe_unused]] bool with_b, void *stream) {
#ifndef PLORA_EMULATE
    if (plan->compute_capability == 90) return launch_gradient_b_hopper(plan, g, with_b, stream);
#endif
    auto kernel = plan->gradient_b_ranks > 32 ? gradient_b_kernel<true> : gradient_b_kernel<false>;
    return launch(kernel, plan->count[PLORA_GRADIENT_B], THREADS, plan->gradient_b_shared, stream, g);
}

}  // namespace

int low_rank_gradient(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *low_rank, const void *dy, bool with_b,
    void *workspace, void *stream) {
    LoraArguments g = lora_arguments(plan, tiles + plan->first[PLORA_GRADIENT_B], terms, nullptr, workspace);
    g.low_rank = (bf16 *)low_rank;
    g.dy = (const bf16 *)dy;
    PLORA_TRY(launch_gradient_b(plan, g, with_b, stream));
    return launch_reduce(plan, tiles, PLORA_GRADIENT_REDUCE, g.partials, g.low_rank_gradient, stream);
}

#ifndef PLORA_EMULATE

int expand_mixed(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *low_rank, void *y, void *stream) {
    LoraArguments g = lora_arguments(plan, tiles + plan->first[PLORA_MIXED_EXPAND], terms, nullptr, nullptr);
    g.low_rank = (bf16 *)low_rank;
    g.out = (bf16 *)y;
    g.add = g.out;
    return launch_expand(plan, g, PLORA_MIXED_EXPAND, stream);
}

int gradients_behind(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *x, const void *low_rank,
    const void *dy, void *dx, void *workspace, void *stream) {
    LoraArguments g = lora_arguments(plan, tiles, terms, nullptr, workspace);
    g.x = (const bf16 *)x;
    g.low_rank = (bf16 *)low_rank;
    g.dy = (const bf16 *)dy;
    g.out = (bf16 *)dx;
    g.add = g.out;
    g.behind = plan->rows > 0;
    PLORA_TRY(launch_gradients_hopper(plan, g, stream));
    return launch_gradients(plan, g, {}, PLORA_MIXED_GRADIENT_X, stream);
}

#endif

}  // namespace plora

using namespace plora;

int plora_lora_expand(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *low_rank, void *y,
    const void *add, const void *bias, void *stream) {
    LoraArguments g = lora_arguments(plan, tiles + plan->first[PLORA_EXPAND], terms, nullptr, nullptr);
    g.low_rank = (bf16 *)low_rank;
    g.out = (bf16 *)y;
    g.add = (const bf16 *)add;
    g.bias = (const bf16 *)bias;
    return launch_expand(plan, g, PLORA_EXPAND, stream);
}

int plora_lora_backward(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    const void *low_rank, const void *dy, void *dx, void *workspace, void *stream) {
    LoraArguments g = lora_arguments(plan, tiles, terms, dropout_keys, workspace);
    g.x = (const bf16 *)x;
    g.low_rank = (bf16 *)low_rank;
    g.dy = (const bf16 *)dy;
    g.out = (bf16 *)dx;
    if (plan->cluster_rows > 0) {
        PLORA_TRY(launch_cluster_gradient(plan, g, stream));
    } else {
        PLORA_TRY(low_rank_gradient(plan, tiles, terms, low_rank, dy, true, workspace, stream));
    }
    return launch_gradients(plan, g, gradient_lists(plan), PLORA_GRADIENT_X, stream);
}
