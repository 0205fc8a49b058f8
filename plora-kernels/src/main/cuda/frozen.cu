// Frozen products for few rows, for Hopper GPUs (sm_90a): y = x w^T + beta y and dx = dy w + beta dx.
//
// Weights are the left operand, so that all rows of x are one right operand and each weight is loaded once by one block. Weights
// depend on no kernel before: one warp fills a deep ring with them at once, while those kernels still run, and only the copies of
// x wait for them. Each block has one tile; where there are fewer tiles than multiprocessors the sum is cut, and the blocks of a
// cluster add up their pieces through shared memory, each for some rows, in the order of the pieces.
#ifndef PLORA_EMULATE

#include "frozen.h"

#include "hopper.cuh"
#include "tensor_map.h"

namespace plora {
namespace {

constexpr int DEPTH = FROZEN_DEPTH;
constexpr int MULTIPLIERS = 2 * 128;  // threads that multiply
constexpr int FROZEN_THREADS = MULTIPLIERS + 2 * 32;

struct Arguments {
    bf16 *out;  // (rows, columns)
    int rows, columns, depth;
    float beta;
    FrozenPlan plan;
};

struct Barriers {
    uint64_t weights_full[FROZEN_STAGES], weights_empty[FROZEN_STAGES];
    uint64_t x_full[FROZEN_STAGES], x_empty[FROZEN_STAGES];
};

#if defined(PLORA_HOPPER)

// Rows of more than this take two boxes.
constexpr int BOX_ROWS = 256;

// The block's place: a tile for each cluster, a piece of the sum for each of its blocks.
struct Place {
    int split;
    int column;       // first
    int step, steps;  // first, count

    __device__ explicit Place(const Arguments &g) {
        split = (int)cluster_rank();
        column = (int)cluster_index() * g.plan.width;
        int all = divide_up(g.depth, DEPTH);
        step = all * split / g.plan.splits;
        steps = all * (split + 1) / g.plan.splits - step;
    }
};

// A way round a ring.
struct Ring {
    int stages, stage = 0;
    uint32_t parity = 0;

    __device__ explicit Ring(int count) : stages(count) {}
    __device__ void advance() {
        if (++stage == stages) {
            stage = 0;
            parity ^= 1;
        }
    }
};

template <bool BACKWARD>
__device__ void copy_weights(const Arguments &g, const Place &place, const CUtensorMap &map, bf16 *to, uint64_t *full, int step) {
    int k = (place.step + step) * DEPTH, width = g.plan.width;
    barrier_expect(full, width * DEPTH * 2);
    if (BACKWARD) {
        for (int i = 0; i < width; i += 64) copy_box_once(to + i * DEPTH, &map, full, place.column + i, k);
    } else {
        int box = width > BOX_ROWS ? width / 2 : width;
        for (int i = 0; i < width; i += box) copy_box_once(to + i * DEPTH, &map, full, k, place.column + i);
    }
}

template <int N>
__device__ void copy_x(const Arguments &g, const Place &place, const CUtensorMap &map, bf16 *ring, Barriers &barriers) {
    Ring x(g.plan.x_stages);
    for (int step = 0; step < place.steps; step++, x.advance()) {
        uint64_t *full = &barriers.x_full[x.stage];
        barrier_wait(&barriers.x_empty[x.stage], x.parity ^ 1);
        barrier_expect(full, N * DEPTH * 2);
        copy_box(ring + x.stage * N * DEPTH, &map, full, (place.step + step) * DEPTH, 0);
    }
}

__device__ inline void release(uint64_t *weights_empty, uint64_t *x_empty) {
    if (threadIdx.x % WARPGROUP == 0) {
        barrier_arrive(weights_empty);
        barrier_arrive(x_empty);
    }
}

template <int N, int GROUPS, bool BACKWARD>
__device__ void multiply_steps(
    const Arguments &g, const Place &place, bf16 *weights, bf16 *x, Barriers &barriers, float (&sums)[GROUPS][N / 2]) {
    constexpr int ALONG = BACKWARD ? 128 : 2;  // 16 further along the sum of the left operand
    constexpr int TILE = 64 * DEPTH * 2 / 16;  // from one tile of 64 weight rows to the next
    int group = (int)threadIdx.x / WARPGROUP;
    Ring w_ring(g.plan.weight_stages), x_ring(g.plan.x_stages);
    uint64_t *weights_empty = nullptr, *x_empty = nullptr;
    for (int step = 0; step < place.steps; step++, w_ring.advance(), x_ring.advance()) {
        bf16 *left = weights + w_ring.stage * g.plan.width * DEPTH + group * 64 * DEPTH;
        uint64_t a = BACKWARD ? operand_transposed<64>(left) : operand(left), b = operand(x + x_ring.stage * N * DEPTH);
        barrier_wait(&barriers.weights_full[w_ring.stage], w_ring.parity);
        barrier_wait(&barriers.x_full[x_ring.stage], x_ring.parity);
        products_begin();
#pragma unroll
        for (int i = 0; i < DEPTH / 16; i++) {
#pragma unroll
            for (int tile = 0; tile < GROUPS; tile++) {
                multiply_narrow<N, BACKWARD, false>(sums[tile], a + tile * 2 * TILE + i * ALONG, b + i * 2);
            }
        }
        products_commit();
        if (step > 0) {
            products_wait<1>();
            release(weights_empty, x_empty);
        }
        weights_empty = &barriers.weights_empty[w_ring.stage];
        x_empty = &barriers.x_empty[x_ring.stage];
    }
    products_wait<0>();
#pragma unroll
    for (int tile = 0; tile < GROUPS; tile++) hold(sums[tile]);
}

// Leaves sums in shared memory by rows of x.
template <int N, int GROUPS>
__device__ void leave_sums(const Arguments &g, float *left, const float (&sums)[GROUPS][N / 2]) {
    int pitch = frozen_pitch(g.plan.width), group = (int)threadIdx.x / WARPGROUP, warp = (int)threadIdx.x % WARPGROUP / 32;
#pragma unroll
    for (int tile = 0; tile < GROUPS; tile++) {
        int column = (tile * 2 + group) * 64 + warp * 16 + fragment_row();
        float *to = left + fragment_column() * pitch + column;
        bool low = column < g.plan.width, high = column + 8 < g.plan.width;
#pragma unroll
        for (int i = 0; i < N / 8; i++, to += 8 * pitch) {
            const float *d = sums[tile] + i * 4;
            if (low) to[0] = d[0], to[pitch] = d[1];
            if (high) to[8] = d[2], to[pitch + 8] = d[3];
        }
    }
}

// The columns of one row of the result that one thread adds up at a time.
struct Chunk {
    int row, column;  // of the tile
    uint4 *to;        // null outside the result

    __device__ Chunk(const Arguments &g, const Place &place, int first, int end, int i) {
        int chunks = g.plan.width / CHUNK;
        row = first + i / chunks;
        column = i % chunks * CHUNK;
        bool valid = row < end && place.column + column < g.columns;
        to = valid ? (uint4 *)(g.out + (int64_t)row * g.columns + place.column + column) : nullptr;
    }
};

constexpr int AT_ONCE = 4;  // pieces that are read together

// Adds up eight columns of all pieces of the sum, in order.
__device__ inline void add_pieces(const Arguments &g, const float *from, float (&sum)[8]) {
    for (int first = 0; first < g.plan.splits; first += AT_ONCE) {
        float4 low[AT_ONCE], high[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            uint32_t rank = (uint32_t)min(first + i, g.plan.splits - 1);
            low[i] = read_from(from, rank);
            high[i] = read_from(from + 4, rank);
        }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            if (first + i >= g.plan.splits) break;
            sum[0] += low[i].x, sum[1] += low[i].y, sum[2] += low[i].z, sum[3] += low[i].w;
            sum[4] += high[i].x, sum[5] += high[i].y, sum[6] += high[i].z, sum[7] += high[i].w;
        }
    }
}

// Waits until all blocks of the cluster have left their sums, then adds up this block's part of the rows and writes it.
template <int N>
__device__ void finish(const Arguments &g, const Place &place, const float *left) {
    int splits = g.plan.splits, pitch = frozen_pitch(g.plan.width);
    int first = N * place.split / splits, end = min(N * (place.split + 1) / splits, g.rows);
    Chunk chunk(g, place, first, end, (int)threadIdx.x);
    uint4 old = {0, 0, 0, 0};
    if (g.beta != 0.0f && chunk.to != nullptr) old = *chunk.to;
    cluster_arrived();
    for (int i = (int)threadIdx.x; chunk.row < end; i += MULTIPLIERS) {
        if (chunk.to != nullptr) {
            float sum[8] = {}, before[8];
            add_pieces(g, left + chunk.row * pitch + chunk.column, sum);
            if (g.beta != 0.0f) {
                unpack(old, before);
#pragma unroll
                for (int e = 0; e < 8; e++) sum[e] += g.beta * before[e];
            }
            *chunk.to = pack(sum);
        }
        chunk = Chunk(g, place, first, end, i + MULTIPLIERS);
        if (g.beta != 0.0f && chunk.to != nullptr) old = *chunk.to;
    }
}

#endif

template <int N, int GROUPS, bool BACKWARD>
__global__ void __launch_bounds__(FROZEN_THREADS, 1) frozen_kernel(
    Arguments g, const __grid_constant__ CUtensorMap w_map, const __grid_constant__ CUtensorMap x_map) {
#if defined(PLORA_HOPPER)
    bf16 *weights = (bf16 *)shared_memory();
    bf16 *x = weights + g.plan.weight_stages * g.plan.width * DEPTH;
    Barriers &barriers = *(Barriers *)(x + g.plan.x_stages * N * DEPTH);
    Place place(g);
    bool copies_weights = threadIdx.x == MULTIPLIERS, copies_x = threadIdx.x == MULTIPLIERS + 32;
    int at_once = min(place.steps, g.plan.weight_stages);
    if (copies_weights) {
        for (int i = 0; i < g.plan.weight_stages; i++) {
            barrier_init(&barriers.weights_full[i], 1);
            barrier_init(&barriers.weights_empty[i], 2);
        }
        for (int i = 0; i < g.plan.x_stages; i++) {
            barrier_init(&barriers.x_full[i], 1);
            barrier_init(&barriers.x_empty[i], 2);
        }
        barrier_init_fence();
        show_shared();
        for (int i = 0; i < at_once; i++) {
            copy_weights<BACKWARD>(g, place, w_map, weights + i * g.plan.width * DEPTH, &barriers.weights_full[i], i);
        }
    }
    __syncwarp();
    cluster_wait();
    launch_dependents();
    if (copies_weights) {
        Ring ring(g.plan.weight_stages);
        for (int step = 0; step < place.steps; step++, ring.advance()) {
            if (step < at_once) continue;
            barrier_wait(&barriers.weights_empty[ring.stage], ring.parity ^ 1);
            copy_weights<BACKWARD>(g, place, w_map, weights + ring.stage * g.plan.width * DEPTH, &barriers.weights_full[ring.stage], step);
        }
    } else if (copies_x) {
        prefetch_map(&x_map);
        wait_for_grids();
        copy_x<N>(g, place, x_map, x, barriers);
    }
    float *left = (float *)weights;
    if (threadIdx.x < MULTIPLIERS) {
        float sums[GROUPS][N / 2] = {};
        wait_for_grids();
        multiply_steps<N, GROUPS, BACKWARD>(g, place, weights, x, barriers, sums);
        wait_named(1, MULTIPLIERS);  // nobody reads the rings any more
        leave_sums<N, GROUPS>(g, left, sums);
    }
    __syncwarp();
    cluster_arrive();
    if (threadIdx.x < MULTIPLIERS) {
        finish<N>(g, place, left);
    } else {
        cluster_arrived();
    }
    __syncwarp();
    cluster_wait();  // nobody reads a block that has ended
#endif
}

template <int N, int GROUPS, bool BACKWARD>
int launch_frozen(const FrozenPlan &plan, const Arguments &g, const void *x, int x_stride, const void *w, void *stream) {
    CUtensorMap w_map, x_map;
    int box = plan.width > 256 ? plan.width / 2 : plan.width;
    PLORA_TRY(BACKWARD ? make_map(w_map, w, g.depth, g.columns, g.columns, DEPTH) : make_map(w_map, w, g.columns, g.depth, g.depth, box));
    PLORA_TRY(make_map(x_map, x, g.rows, g.depth, x_stride, N));
    int tiles = divide_up(g.columns, plan.width);
    int shared = (int)frozen_ring_bytes(plan) + (int)sizeof(Barriers);
    return launch_clusters(frozen_kernel<N, GROUPS, BACKWARD>, tiles * plan.splits, plan.splits, FROZEN_THREADS, shared, stream, g, w_map, x_map);
}

template <int N, bool BACKWARD>
int launch_groups(const FrozenPlan &plan, const Arguments &g, const void *x, int x_stride, const void *w, void *stream) {
    if (plan.groups == 1) return launch_frozen<N, 1, BACKWARD>(plan, g, x, x_stride, w, stream);
    if constexpr (N <= 128) {
        if (plan.groups == 2) return launch_frozen<N, 2, BACKWARD>(plan, g, x, x_stride, w, stream);
    }
    if constexpr (N <= 64) return launch_frozen<N, 3, BACKWARD>(plan, g, x, x_stride, w, stream);
    return fail(PLORA_INVALID, "No kernel takes so many groups (%d).", plan.groups);
}

template <bool BACKWARD>
int launch_tokens(const FrozenPlan &plan, const Arguments &g, const void *x, int x_stride, const void *w, void *stream) {
    switch (plan.tokens) {
        case 32: return launch_groups<32, BACKWARD>(plan, g, x, x_stride, w, stream);
        case 64: return launch_groups<64, BACKWARD>(plan, g, x, x_stride, w, stream);
        case 128: return launch_groups<128, BACKWARD>(plan, g, x, x_stride, w, stream);
        default: return launch_groups<256, BACKWARD>(plan, g, x, x_stride, w, stream);
    }
}

}  // namespace
}  // namespace plora

using namespace plora;

int plora::frozen_product(
    const FrozenPlan &plan, bool backward, const void *x, int x_stride, const void *w, void *out, int rows, int columns, int depth,
    float beta, void *stream) {
    PLORA_REQUIRE(frozen_plan_fits(plan, backward) && rows <= plan.tokens, "rows (%d) or width (%d) do not fit the plan.", rows, plan.width);
    if (rows == 0) return PLORA_OK;
    Arguments g = {(bf16 *)out, rows, columns, depth, beta, plan};
    return backward ? launch_tokens<true>(plan, g, x, x_stride, w, stream) : launch_tokens<false>(plan, g, x, x_stride, w, stream);
}

#endif
