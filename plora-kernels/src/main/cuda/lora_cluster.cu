// S and dS of few rows in one launch each, on Hopper GPUs.
//
// Few tiles fill the device only if their sums over the inputs (outputs for dS) are cut. Here the blocks of a cluster take a tile's
// steps by turns and add up what they found by way of each other's shared memory, in a fixed order: nothing goes through device
// memory, and no other launch waits for it. Once the next kernel of the stream runs, those before this one have ended. In a tile of fewer than 64 rows, warps share the depth of each step, 64 each.
#include "lora.cuh"

#ifndef PLORA_EMULATE
#include "hopper.cuh"
#endif

namespace plora {
namespace {

constexpr int CLUSTER_THREADS = 128, DEPTH = 64;

#ifdef PLORA_EMULATE
constexpr int BLOCKS = 1;
#else
constexpr int BLOCKS = CLUSTER_BLOCKS;
#endif

#if defined(PLORA_HOPPER)
#define PLORA_CLUSTER __cluster_dims__(BLOCKS, 1, 1)
#else
#define PLORA_CLUSTER
#endif

// Warps that take 64 of the depth of a step each; the others share their rows.
constexpr int pieces_of(int rows) { return CLUSTER_THREADS / 32 / (rows / 16); }

constexpr int piece_elements(int rows, int n) { return (rows + n) * DEPTH; }
constexpr int stage_elements(int rows, int n) { return pieces_of(rows) * piece_elements(rows, n); }

constexpr int stages_of(int rows, int n) { return CLUSTER_STAGE_BYTES / (stage_elements(rows, n) * 2); }

#if defined(PLORA_HOPPER) || defined(PLORA_EMULATE)

// One tile's operands: rows of X or dY on the left, on the right A as (low-rank columns, depth) or B as (depth, low-rank columns). A
// step has pieces of 64 columns, each with both operands.
template <int R, int N, bool GRADIENT>
struct ClusterOperands {
    static constexpr int PIECES = pieces_of(R);
    const bf16 *left, *right;
    int left_stride, right_stride;
    int rows, ranks, columns;

    __device__ ClusterOperands(const LoraArguments &g, const plora_tile &t, const plora_term &term)
        : left_stride(GRADIENT ? g.outputs : g.inputs),
          right_stride(GRADIENT ? term.b_stride : g.inputs),
          rows(t.rows),
          ranks(min(t.ranks, term.rank - t.part_rank)),
          columns(t.columns) {
        left = (GRADIENT ? g.dy : g.x) + (int64_t)t.row * left_stride + t.column;
        right = GRADIENT ? (const bf16 *)term.b + t.part_rank : (const bf16 *)term.a + (int64_t)t.part_rank * g.inputs;
    }

    // Columns from the tile's first one to those of a piece of this block's step.
    static __device__ int column_of(int step, int piece) { return ((step * BLOCKS + (int)cluster_rank()) * PIECES + piece) * DEPTH; }

    __device__ int steps() const { return divide_up(max(columns - column_of(0, 0), 0), BLOCKS * PIECES * DEPTH); }

    // Fetches the right operand while others are at work.
    __device__ void prefetch_right() const {
        int lines = GRADIENT ? DEPTH : ranks;  // of a piece
        for (int i = threadIdx.x; i < lines * PIECES * steps(); i += CLUSTER_THREADS) {
            int piece = i / lines, line = i % lines, column = column_of(piece / PIECES, piece % PIECES);
            if (!GRADIENT && column < columns) prefetch(right + (int64_t)line * right_stride + column);
            if (GRADIENT && column + line < columns) prefetch(right + (int64_t)(column + line) * right_stride);
        }
    }

    __device__ void load(bf16 *stage, int step) const {
#pragma unroll
        for (int piece = 0; piece < PIECES; piece++) load_piece(stage + piece * piece_elements(R, N), column_of(step, piece));
    }

    __device__ void load_piece(bf16 *tile, int column) const {
        int left_columns = columns - column;
        copy_tile_async<R, DEPTH, CLUSTER_THREADS>(tile, left + column, left_stride, [&](int row, int chunk) {
            return row < rows && chunk * CHUNK < left_columns ? 16 : 0;
        });
        bf16 *right_tile = tile + R * DEPTH;
        if (GRADIENT) {
            const bf16 *from = right + (int64_t)column * right_stride;
            copy_tile_async<DEPTH, N, CLUSTER_THREADS>(right_tile, from, right_stride, [&](int row, int chunk) {
                return row < left_columns ? min(max(ranks - chunk * CHUNK, 0), CHUNK) * 2 : 0;
            });
        } else {
            copy_tile_async<N, DEPTH, CLUSTER_THREADS>(right_tile, right + column, right_stride, [&](int row, int chunk) {
                return row < ranks && chunk * CHUNK < left_columns ? 16 : 0;
            });
        }
    }

    __device__ void drop(const LoraArguments &g, const plora_tile &t, const Mask &mask, bf16 *stage, int step) const {
#pragma unroll
        for (int piece = 0; piece < PIECES; piece++) {
            bf16 *tile = stage + piece * piece_elements(R, N);
            drop_tile<DEPTH, CLUSTER_THREADS, R>(g, t, mask, tile, 0, t.column + column_of(step, piece));
        }
    }
};

// A warp's share of a block's products: 16 of its rows, and one piece of each step.
template <int R, int N, bool GRADIENT>
struct ClusterSums {
    static constexpr int WARPS_M = R / 16;
    float sums[N / 8][4] = {};

    __device__ int slab() const { return (int)threadIdx.x / 32 % WARPS_M * 16; }
    __device__ int piece() const { return (int)threadIdx.x / 32 / WARPS_M; }

    __device__ void multiply_step(bf16 *stage) {
        bf16 *left_tile = stage + piece() * piece_elements(R, N), *right_tile = left_tile + R * DEPTH;
#pragma unroll
        for (int k = 0; k < DEPTH; k += 16) {
            uint32_t left[4], right[4];
            load_left<DEPTH>(left, left_tile, slab(), k);
#pragma unroll
            for (int n = 0; n < N; n += 16) {
                if (GRADIENT) {
                    load_right_transposed<N>(right, right_tile, n, k);
                } else {
                    load_right<DEPTH>(right, right_tile, n, k);
                }
                multiply(sums[n / 8], left, right[0], right[1]);
                multiply(sums[n / 8 + 1], left, right[2], right[3]);
            }
        }
    }

    // Shows the sums to the cluster: (pieces, R, N).
    __device__ void show(float *shown) const {
        float *to = shown + (piece() * R + slab() + fragment_row()) * N + fragment_column();
#pragma unroll
        for (int half = 0; half < 2; half++) {
#pragma unroll
            for (int n = 0; n < N; n += 8) {
                *(float2 *)(to + half * 8 * N + n) = {sums[n / 8][half * 2], sums[n / 8][half * 2 + 1]};
            }
        }
    }
};

// Adds up what all blocks show, a share of the tile in each block: first those of some blocks in each group of threads.
template <int R, int N>
struct ClusterTotal {
    static constexpr int PIECES = pieces_of(R);
    static constexpr int QUADS = R * N / 4 / BLOCKS;  // of a block's share
    static constexpr int GROUPS = CLUSTER_THREADS / QUADS < 1 ? 1 : CLUSTER_THREADS / QUADS < BLOCKS ? CLUSTER_THREADS / QUADS : BLOCKS;

    // Element of the tile where a quad of this block's share starts.
    static __device__ int element(int quad) { return ((int)cluster_rank() * QUADS + quad) * 4; }

    static __device__ void collect(const float *shown, float4 *of_groups) {
        for (int i = threadIdx.x; i < QUADS * GROUPS; i += CLUSTER_THREADS) {
            const float *from = shown + element(i % QUADS);
            int first = i / QUADS * (BLOCKS / GROUPS);
            float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
            for (int block = 0; block < BLOCKS / GROUPS; block++) {
#pragma unroll
                for (int piece = 0; piece < PIECES; piece++) add(sum, read_from(from + piece * R * N, (uint32_t)(first + block)));
            }
            of_groups[i] = sum;
        }
    }

    static __device__ void store(const plora_tile &t, const float4 *of_groups, float scale, bf16 *to) {
        for (int quad = threadIdx.x; quad < QUADS; quad += CLUSTER_THREADS) {
            float4 sum = of_groups[quad];
#pragma unroll
            for (int group = 1; group < GROUPS; group++) add(sum, of_groups[group * QUADS + quad]);
            int row = element(quad) / N, column = element(quad) % N;
            uint2 result = {pack(sum.x * scale, sum.y * scale), pack(sum.z * scale, sum.w * scale)};
            if (row < t.rows && column < t.ranks) *(uint2 *)(to + t.low_rank + (int64_t)row * t.stride + t.rank + column) = result;
        }
    }
};

template <int R, int N, bool GRADIENT>
__device__ void cluster_tile(const LoraArguments &g, const plora_tile &t) {
    constexpr int STAGES = stages_of(R, N), STAGE = stage_elements(R, N);
    bf16 *stages = (bf16 *)shared_memory();
    const plora_term &term = adapter_terms(g, t)[t.part];
    ClusterOperands<R, N, GRADIENT> operands(g, t, term);
    Mask mask = GRADIENT ? Mask{0, 0, 1.0f} : mask_of(g, adapter_terms(g, t), t.part);
    ClusterSums<R, N, GRADIENT> sums;
    int steps = operands.steps(), loaded = 0;
    auto load = [&] {
        if (loaded < steps) operands.load(stages + loaded % STAGES * STAGE, loaded);
        copy_commit();
        loaded++;
    };
    operands.prefetch_right();
    wait_for_previous_first();
    for (int stage = 0; stage < STAGES - 1; stage++) load();
    for (int step = 0; step < steps; step++) {
        bf16 *stage = stages + step % STAGES * STAGE;
        copy_wait<STAGES - 2>();
        if (mask.threshold != 0) operands.drop(g, t, mask, stage, step);
        __syncthreads();
        load();
        sums.multiply_step(stage);
    }
    copy_wait<0>();
    __syncthreads();  // the stages are free
    float *shown = (float *)stages;
    float4 *of_groups = (float4 *)(shown + CLUSTER_THREADS / 32 * 16 * N);
    sums.show(shown);
    cluster_wait();
    ClusterTotal<R, N>::collect(shown, of_groups);
    cluster_wait();  // no block ends while others read what it shows
    ClusterTotal<R, N>::store(t, of_groups, term.scale * mask.keep_scale, GRADIENT ? g.low_rank_gradient : g.low_rank);
}

#endif

template <int R, bool GRADIENT>
__global__ void PLORA_CLUSTER __launch_bounds__(CLUSTER_THREADS) cluster_kernel(LoraArguments g) {
#if defined(PLORA_HOPPER) || defined(PLORA_EMULATE)
    const plora_tile t = g.tiles[blockIdx.x / BLOCKS];
    if (t.ranks <= 16) {
        cluster_tile<R, 16, GRADIENT>(g, t);
    } else if (t.ranks <= 32) {
        cluster_tile<R, 32, GRADIENT>(g, t);
    } else {
        cluster_tile<R, 64, GRADIENT>(g, t);
    }
#endif
}

constexpr int shared_of(int rows, int n) { return stages_of(rows, n) * stage_elements(rows, n) * 2; }

template <bool GRADIENT>
int launch_cluster(const plora_lora_plan *plan, int list, LoraArguments g, void *stream) {
    g.tiles += plan->first[list];
    int rows = plan->cluster_rows, shared = 0;
    for (int n = 16; n <= 64; n *= 2) shared = shared_of(rows, n) > shared ? shared_of(rows, n) : shared;
    auto kernel = rows == 16 ? cluster_kernel<16, GRADIENT> : rows == 32 ? cluster_kernel<32, GRADIENT> : cluster_kernel<64, GRADIENT>;
    return launch(kernel, plan->count[list] * BLOCKS, CLUSTER_THREADS, shared, stream, g);
}

}  // namespace

int launch_cluster_shrink(const plora_lora_plan *plan, const LoraArguments &g, void *stream) {
    return launch_cluster<false>(plan, PLORA_SHRINK, g, stream);
}

int launch_cluster_gradient(const plora_lora_plan *plan, const LoraArguments &g, void *stream) {
    return launch_cluster<true>(plan, PLORA_GRADIENT_S, g, stream);
}

}  // namespace plora
