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
constexpr int FROZEN_THREADS = MULTIPLIERS + 3 * 32;

struct Arguments {
    bf16 *out;  // (rows, columns)
    int rows, columns, depth;
    float beta;
    FrozenPlan plan;
};

// How operands are copied.
struct Maps {
    CUtensorMap weights, x;
};

struct Barriers {
    uint64_t weights_full[FROZEN_STAGES], weights_empty[FROZEN_STAGES];
    uint64_t x_full[FROZEN_STAGES], x_empty[FROZEN_STAGES];
    uint64_t landed;
};
static_assert(FROZEN_SHARED + sizeof(Barriers) <= 227 * 1024, "what a block can have on sm_90");

#if defined(PLORA_HOPPER)

constexpr uint32_t EMPTY = FROZEN_STAGES * sizeof(uint64_t);  // from a stage's barrier when full to that when empty

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
__device__ void copy_weights(const Arguments &g, const Place &place, const Maps &maps, bf16 *to, uint64_t *full, int step) {
    int k = (place.step + step) * DEPTH, column = place.column, width = g.plan.width;
    barrier_expect(full, width * DEPTH * 2);
    if (BACKWARD) {
        for (int i = 0; i < width; i += 64) copy_box_once(to + i * DEPTH, &maps.weights, full, column + i, k);
    } else {
        int box = width > BOX_ROWS ? width / 2 : width;
        for (int i = 0; i < width; i += box) copy_box_once(to + i * DEPTH, &maps.weights, full, k, column + i);
    }
}

template <int N>
__device__ void copy_x(const Arguments &g, const Place &place, const Maps &maps, bf16 *ring, Barriers &barriers) {
    Ring x(g.plan.x_stages);
    wait_for_grids();
    for (int step = 0; step < place.steps; step++, x.advance()) {
        uint64_t *full = &barriers.x_full[x.stage];
        barrier_wait(&barriers.x_empty[x.stage], x.parity ^ 1);
        barrier_expect(full, N * DEPTH * 2);
        copy_box(ring + x.stage * N * DEPTH, &maps.x, full, (place.step + step) * DEPTH, 0);
    }
}

// The same value for all threads of a warp, which the compiler cannot know.
__device__ inline uint32_t uniform(uint32_t value) { return __shfl_sync(0xffffffffu, value, 0); }

// A ring as those who multiply see it: what one stage is, and the whole way back.
struct Reader {
    uint32_t place, step, full;  // of the stage in units of 16 bytes; from one to the next; its barrier
    int left, stages;            // until the ring's end
    uint32_t parity = 0;

    __device__ Reader(const void *ring, int bytes, const uint64_t *barriers, int count)
        : place(uniform((shared_address(ring) & 0x3ffff) / 16)), step((uint32_t)bytes / 16), full(uniform(shared_address(barriers))), left(count), stages(count) {}

    __device__ void wait() const { barrier_wait(full, parity); }
    __device__ uint32_t empty() const { return full + EMPTY; }
    __device__ void advance() {
        place += step;
        full += 8;
        if (--left == 0) {
            place -= step * (uint32_t)stages;
            full -= 8 * (uint32_t)stages;
            left = stages;
            parity ^= 1;
        }
    }
};

template <int N, int GROUPS, bool BACKWARD>
__device__ void multiply_steps(
    const Arguments &g, const Place &place, const bf16 *weights, const bf16 *x, const Barriers &barriers,
    float (&sums)[GROUPS][N / 2]) {
    constexpr uint32_t ALONG = BACKWARD ? 128 : 2;  // 16 further along the sum of the left operand
    constexpr uint32_t TILE = 64 * DEPTH * 2 / 16;  // from one tile of 64 weight rows to the next
    uint32_t group = uniform(threadIdx.x / WARPGROUP);
    bool releases = threadIdx.x % WARPGROUP == 0;
    Reader left(weights, g.plan.width * DEPTH * 2, barriers.weights_full, g.plan.weight_stages);
    Reader right(x, N * DEPTH * 2, barriers.x_full, g.plan.x_stages);
    uint32_t left_empty = 0, right_empty = 0;
    for (int step = 0; step < place.steps; step++) {
        left.wait();
        right.wait();
        uint32_t a = left.place + group * TILE, b = right.place;
        products_begin();
#pragma unroll
        for (uint32_t i = 0; i < DEPTH / 16; i++) {
#pragma unroll
            for (uint32_t tile = 0; tile < GROUPS; tile++) {
                uint32_t at = a + tile * 2 * TILE + i * ALONG;
                multiply_narrow<N, BACKWARD, false>(sums[tile], BACKWARD ? operand_transposed_at(at) : operand_at(at), operand_at(b + i * 2));
            }
        }
        products_commit();
        if (step > 0) {
            products_wait<1>();
            if (releases) {
                barrier_arrive(left_empty);
                barrier_arrive(right_empty);
            }
        }
        left_empty = left.empty();
        right_empty = right.empty();
        left.advance();
        right.advance();
    }
    products_wait<0>();
#pragma unroll
    for (int tile = 0; tile < GROUPS; tile++) hold(sums[tile]);
}

// The rows of x that a block of the cluster adds up: blocks of eight.
struct Share {
    int first, count;

    __device__ Share(int all, int split, int splits) : first(all * split / splits), count(all * (split + 1) / splits - first) {}
};

// Where a block finds what piece `split` has of its share, four values for each thread that multiplies: bytes.
template <int GROUPS>
__device__ inline uint32_t landing(const Share &share, int split, int block, int tile) {
    return (uint32_t)(((split * share.count + block) * GROUPS + tile) * MULTIPLIERS + (int)threadIdx.x) * 16;
}

// Bytes that are sent to a block, its own too; a block without others keeps its sums.
template <int N, int GROUPS>
__device__ int sent(int split, int splits) {
    return splits == 1 ? 0 : Share(N / 8, split, splits).count * splits * GROUPS * MULTIPLIERS * 16;
}

template <int N, int GROUPS>
__device__ void keep_sums(char *landed, const float (&sums)[GROUPS][N / 2]) {
    Share all(N / 8, 0, 1);
#pragma unroll
    for (int block = 0; block < N / 8; block++) {
#pragma unroll
        for (int tile = 0; tile < GROUPS; tile++) {
            const float *d = sums[tile] + block * 4;
            *(float4 *)(landed + landing<GROUPS>(all, 0, block, tile)) = {d[0], d[1], d[2], d[3]};  // read by this thread only
        }
    }
}

// Sends each block of the cluster its share of the sums.
template <int N, int GROUPS>
__device__ void send_sums(int split, int splits, uint32_t landed, uint32_t barrier, const float (&sums)[GROUPS][N / 2]) {
    int owner = 0;
    Share share(N / 8, owner, splits);
    uint32_t there = address_in(0, landed), barrier_there = address_in(0, barrier);
#pragma unroll
    for (int block = 0; block < N / 8; block++) {
        while (block >= share.first + share.count) {
            share = Share(N / 8, ++owner, splits);
            there = address_in((uint32_t)owner, landed);
            barrier_there = address_in((uint32_t)owner, barrier);
        }
#pragma unroll
        for (int tile = 0; tile < GROUPS; tile++) {
            const float *d = sums[tile] + block * 4;
            send(there + landing<GROUPS>(share, split, block - share.first, tile), d[0], d[1], d[2], d[3], barrier_there);
        }
    }
}

// Eight rows of the result and 16 of its columns, in a warp.
struct Patch {
    bf16 *to;        // this thread's first columns of its row
    bool low, high;  // whether its columns exist, and those eight further
    uint32_t before[2];

    template <int GROUPS>
    __device__ static Patch at(const Arguments &g, int first_column, const Share &share, int index) {
        int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x % WARPGROUP / 32, group = (int)threadIdx.x / WARPGROUP;
        int block = index / GROUPS, tile = index % GROUPS;
        int row = (share.first + block) * 8 + lane / 4, column = (tile * 2 + group) * 64 + warp * 16;
        bool valid = block < share.count && row < g.rows;
        Patch patch;
        patch.low = valid && column < g.plan.width && first_column + column < g.columns;
        patch.high = valid && column + 8 < g.plan.width && first_column + column + 8 < g.columns;
        patch.to = g.out + (int64_t)row * g.columns + first_column + column + fragment_column();
        patch.before[0] = patch.low && g.beta != 0.0f ? *(const uint32_t *)patch.to : 0;
        patch.before[1] = patch.high && g.beta != 0.0f ? *(const uint32_t *)(patch.to + 8) : 0;
        return patch;
    }

    // sum: as products leave it, of weight rows and rows of x
    __device__ void write(const Arguments &g, const float4 &sum) const {
        uint32_t old[2] = {transpose(before[0]), transpose(before[1])};
        float d[4] = {sum.x, sum.y, sum.z, sum.w};
        if (g.beta != 0.0f) {
#pragma unroll
            for (int i = 0; i < 4; i++) d[i] += g.beta * __uint_as_float(i % 2 == 0 ? old[i / 2] << 16 : old[i / 2] & 0xffff0000u);
        }
        uint32_t first = transpose(pack(d[0], d[1])), second = transpose(pack(d[2], d[3]));
        if (low) *(uint32_t *)to = first;
        if (high) *(uint32_t *)(to + 8) = second;
    }
};

// Adds up this block's share of the sums, in the order of the pieces, and writes it.
template <int N, int GROUPS>
__device__ void finish(const Arguments &g, int column, int split_of_block, const char *landed, uint32_t barrier) {
    Share share(N / 8, split_of_block, g.plan.splits);
    for (int index = 0; index < share.count * GROUPS; index += 2) {
        Patch patches[2] = {Patch::at<GROUPS>(g, column, share, index), Patch::at<GROUPS>(g, column, share, index + 1)};
        if (index == 0) barrier_wait(barrier, 0);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            if (index + i >= share.count * GROUPS) break;
            float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll 4
            for (int split = 0; split < g.plan.splits; split++) {
                float4 piece = *(const float4 *)(landed + landing<GROUPS>(share, split, (index + i) / GROUPS, (index + i) % GROUPS));
                sum.x += piece.x, sum.y += piece.y, sum.z += piece.z, sum.w += piece.w;
            }
            patches[i].write(g, sum);
        }
    }
}

#endif

template <int N, int GROUPS, bool BACKWARD>
__global__ void __launch_bounds__(FROZEN_THREADS, 1) frozen_kernel(
    const __grid_constant__ Arguments g, const __grid_constant__ Maps maps) {
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
        barrier_init(&barriers.landed, 1);
        barrier_init_fence();
        show_shared();
        barrier_expect(&barriers.landed, sent<N, GROUPS>(place.split, g.plan.splits));
        for (int i = 0; i < at_once; i++) {
            copy_weights<BACKWARD>(g, place, maps, weights + i * g.plan.width * DEPTH, &barriers.weights_full[i], i);
        }
    }
    __syncthreads();
    if (copies_weights) {
        Ring ring(g.plan.weight_stages);
        for (int step = 0; step < place.steps; step++, ring.advance()) {
            if (step < at_once) continue;
            barrier_wait(&barriers.weights_empty[ring.stage], ring.parity ^ 1);
            copy_weights<BACKWARD>(g, place, maps, weights + ring.stage * g.plan.width * DEPTH, &barriers.weights_full[ring.stage], step);
        }
    } else if (copies_x) {
        prefetch_map(&maps.x);
        copy_x<N>(g, place, maps, x, barriers);
    } else if (threadIdx.x == MULTIPLIERS + 64) {
        launch_dependents();
    }
    __syncwarp();
    if (threadIdx.x < MULTIPLIERS) {
        float sums[GROUPS][N / 2] = {};
        multiply_steps<N, GROUPS, BACKWARD>(g, place, weights, x, barriers, sums);
        uint32_t landed = shared_address(weights), barrier = shared_address(&barriers.landed);
        cluster_wait_relaxed();  // nobody reads the rings any more
        if (g.plan.splits == 1) {
            keep_sums<N, GROUPS>((char *)weights, sums);
        } else {
            send_sums<N, GROUPS>(place.split, g.plan.splits, landed, barrier, sums);
        }
        wait_for_grids();
        finish<N, GROUPS>(g, place.column, place.split, (const char *)weights, barrier);
    } else {
        cluster_wait_relaxed();
    }
#endif
}

template <int N, int GROUPS, bool BACKWARD>
int launch_frozen(const Arguments &g, const void *x, int x_stride, const void *w, void *stream) {
    Maps maps = {};
    const FrozenPlan &plan = g.plan;
    int box = plan.width > 256 ? plan.width / 2 : plan.width;
    PLORA_TRY(BACKWARD ? make_map(maps.weights, w, g.depth, g.columns, g.columns, DEPTH)
                       : make_map(maps.weights, w, g.columns, g.depth, g.depth, box));
    PLORA_TRY(make_map(maps.x, x, g.rows, g.depth, x_stride, N));
    int tiles = divide_up(g.columns, plan.width), shared = (int)frozen_ring_bytes(plan) + (int)sizeof(Barriers);
    return launch_clusters(frozen_kernel<N, GROUPS, BACKWARD>, tiles * plan.splits, plan.splits, FROZEN_THREADS, shared, stream, g, maps);
}

template <int N, bool BACKWARD>
int launch_groups(const Arguments &g, const void *x, int x_stride, const void *w, void *stream) {
    if (g.plan.groups == 1) return launch_frozen<N, 1, BACKWARD>(g, x, x_stride, w, stream);
    if constexpr (N <= 128) {
        if (g.plan.groups == 2) return launch_frozen<N, 2, BACKWARD>(g, x, x_stride, w, stream);
    }
    if constexpr (N <= 64) return launch_frozen<N, 3, BACKWARD>(g, x, x_stride, w, stream);
    return fail(PLORA_INVALID, "No kernel takes so many groups (%d).", g.plan.groups);
}

template <bool BACKWARD>
int launch_tokens(const Arguments &g, const void *x, int x_stride, const void *w, void *stream) {
    switch (g.plan.tokens) {
        case 32: return launch_groups<32, BACKWARD>(g, x, x_stride, w, stream);
        case 64: return launch_groups<64, BACKWARD>(g, x, x_stride, w, stream);
        case 128: return launch_groups<128, BACKWARD>(g, x, x_stride, w, stream);
        default: return launch_groups<256, BACKWARD>(g, x, x_stride, w, stream);
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
    Arguments g = {};
    g.out = (bf16 *)out;
    g.rows = rows;
    g.columns = columns;
    g.depth = depth;
    g.beta = beta;
    g.plan = plan;
    return backward ? launch_tokens<true>(g, x, x_stride, w, stream) : launch_tokens<false>(g, x, x_stride, w, stream);
}

#endif
