// The frozen product and the low-rank terms in one kernel, for Hopper GPUs (sm_90a).
//
// Forward   Y = [X | S] [W | B]^T + bias
// Backward  dX = [dY | dS] [W ; A]
//
// Each tile's sum over the inputs (outputs in backward) goes on over the low-rank columns of the tile's rows, so that low-rank
// terms take no pass over Y and dX of their own. A tile is 128 x 256, two warpgroups of 64 rows; two blocks one below the other
// form a cluster and each loads half of the right operand for both. One warp loads operands by tensor copies, three warps the
// low-rank columns, which lie in many places, four stages ahead of the products; blocks stay and take tile after tile. Copies and
// products start beside the kernel that completes S: only who loads S waits for it.
//
// Where the plan says that it is faster, the product leaves multiprocessors to a kernel beside it: in backward to gradients a and
// b, in forward to shrink, with the low-rank terms added afterwards.
//
// Blocks of 64 rows that several adapters share get their low-rank terms afterwards, added by the kernels of lora.cu: in one
// product with another adapter's weights, a NaN there would pass over.
#ifndef PLORA_EMULATE

#include "hopper.cuh"
#include "lora.h"
#include "lora_plan.h"
#include "tensor_map.h"

namespace plora {
namespace {

constexpr int COLUMNS = LINEAR_COLUMNS, DEPTH = LINEAR_DEPTH, STAGES = 4, CLUSTER = 2;
constexpr int LINEAR_THREADS = 3 * 128;
constexpr int HELD_SLICES = 8 * STEP_SLICES;
constexpr int LEFT = LINEAR_ROWS * DEPTH, RIGHT = COLUMNS * DEPTH, STAGE = LEFT + RIGHT;  // elements

struct Arguments {
    const plora_tile *blocks;  // (row blocks, parts)
    const plora_tile *slices;
    const plora_term *terms;   // (adapters, parts)
    const bf16 *low_rank;      // S or dS
    bf16 *out;                 // (rows, columns)
    const bf16 *add;           // (rows, columns), added to the result, or null
    const bf16 *bias;          // (columns) or null
    int parts;
    int rows;
    int depth;    // of the frozen product
    int columns;
    int extra;    // steps over low-rank columns, in every tile
    int early;    // whether the kernels before the one that makes S have ended when this one starts
};

// What a loader knows of a slice: 16 low-rank columns of one term, for some rows of the block.
struct Slice {
    const bf16 *low_rank;  // at (first row, first column)
    const bf16 *operand;   // B at (first output of the part, rank), or A at (rank, 0)
    int low_rank_stride;
    int operand_stride;
    int first_row, end_row;  // of the block, 0..128
    int ranks;               // 8 or 16
    int first_rank;          // of the term
    int valid;               // of them not padding
    int first_column, end_column;  // of the part
};

struct Shared {
    uint64_t full[STAGES], empty[STAGES];
    uint64_t granted[STAGES];  // counting steps over low-rank columns alone: the stage of one is free
    uint32_t held[STAGES];     // of a step over low-rank columns: first and end of each warpgroup's slices, a byte each
    Slice slices[HELD_SLICES];
};

constexpr int STORE_ROWS = 16, STORE_COLUMNS = 64, STORE = STORE_ROWS * STORE_COLUMNS;  // what a warp stores at once
constexpr int STORES = 2 * 8;  // two for each of eight warps
constexpr int LINEAR_SHARED = (STAGES * STAGE + STORES * STORE) * 2 + (int)sizeof(Shared);

#if defined(PLORA_HOPPER)

constexpr int LOADERS = 96;  // threads that load low-rank columns
constexpr int GAP = 4;       // steps of the frozen product after each step over low-rank columns, which takes longer to load
constexpr int GROUP = 8;     // pairs of row blocks that are taken together, so that X and W stay in the L2 cache

// A block's way through the tiles.
struct Walk {
    int next, pairs, wide;  // wide: tiles along the columns
    int block, column;      // of the tile: row block, first column

    __device__ explicit Walk(const Arguments &g)
        : next((int)cluster_index()),
          pairs(divide_up(g.rows, CLUSTER * LINEAR_ROWS)),
          wide(divide_up(g.columns, COLUMNS)) {}

    __device__ bool advance() {
        if (next >= pairs * wide) return false;
        int group = next / (GROUP * wide) * GROUP, within = next - group * wide;
        int high = min(GROUP, pairs - group);
        block = (group + within % high) * CLUSTER + (int)cluster_rank();
        column = within / high * COLUMNS;
        next += (int)cluster_count();
        return true;
    }
};

struct Range {
    int first, end;
};

// The slices of a tile: in forward of the parts that it meets, in backward of all.
template <bool BACKWARD>
__device__ Range slices_of(const Arguments &g, int block, int column) {
    Range range = {0, 0};
    if (block * LINEAR_ROWS >= g.rows) return range;
    bool any = false;
    for (int part = 0; part < g.parts; part++) {
        const plora_tile &t = g.blocks[block * g.parts + part];
        if (BACKWARD || (column < t.column + t.columns && column + COLUMNS > t.column)) {
            if (!any) range.first = t.rank;
            range.end = t.rank + t.ranks;
            any = true;
        }
    }
    return range;
}

// Step of the frozen product before which step `extra` over low-rank columns comes: towards the end, when S is there.
__device__ inline int place(const Arguments &g, int extra) {
    return max(0, divide_up(g.depth, DEPTH) - GAP * (g.extra - extra));
}

// Steps of all tiles, counted through: where one lies, and the parity of its turn.
struct Turn {
    uint32_t count = 0;
    __device__ int stage() const { return (int)(count % STAGES); }
    __device__ uint32_t parity() const { return count / STAGES & 1; }
};

template <bool BACKWARD>
__device__ void copy_operands(
    const Arguments &g, const CUtensorMap &left_map, const CUtensorMap &right_map, bf16 *stages, Shared &shared) {
    int rank = (int)cluster_rank(), steps = divide_up(g.depth, DEPTH);
    Turn turn, granted;
    for (Walk walk(g); walk.advance();) {
        for (int step = 0, extra = 0; step < steps; step++, turn.count++) {
            for (; extra < g.extra && place(g, extra) == step; extra++, turn.count++, granted.count++) {
                // waited for here since a parity tells only one turn from the next: who skips turns cannot wait for the right one
                barrier_wait(&shared.empty[turn.stage()], turn.parity() ^ 1);
                barrier_arrive(&shared.granted[granted.stage()]);
            }
            uint64_t *full = &shared.full[turn.stage()];
            bf16 *left = stages + turn.stage() * STAGE, *right = left + LEFT;
            int k = step * DEPTH;
            barrier_wait(&shared.empty[turn.stage()], turn.parity() ^ 1);
            barrier_expect(full, STAGE * 2);
            copy_box(left, &left_map, full, k, walk.block * LINEAR_ROWS);
            if (BACKWARD) {
                for (int i = rank * 2; i < rank * 2 + 2; i++) {
                    copy_box_to(right + i * 64 * DEPTH, &right_map, full, walk.column + i * 64, k, 3);
                }
            } else {
                int half = rank * COLUMNS / 2;
                copy_box_to(right + half * DEPTH, &right_map, full, k, walk.column + half, 3);
            }
        }
    }
}

template <bool BACKWARD>
__device__ Slice describe(const Arguments &g, const plora_tile &t, int block, int column) {
    const plora_term &term = g.terms[t.adapter * g.parts + t.part];
    Slice slice;
    slice.low_rank = g.low_rank + t.low_rank + t.rank;
    slice.low_rank_stride = t.stride;
    slice.first_row = t.row - block * LINEAR_ROWS;
    slice.end_row = slice.first_row + t.rows;
    slice.ranks = t.ranks;
    slice.first_rank = t.part_rank;
    slice.valid = term.rank - t.part_rank;
    slice.first_column = t.column - column;
    slice.end_column = t.column + t.columns - column;
    slice.operand_stride = BACKWARD ? g.columns : term.b_stride;
    slice.operand = BACKWARD ? (const bf16 *)term.a + (int64_t)t.part_rank * g.columns + column
                             : (const bf16 *)term.b + (int64_t)(column - t.column) * term.b_stride + t.part_rank;
    return slice;
}

// Rows that loaders take together, two chunks each: a multiple of 8, so that a thread's chunks are swizzled alike.
constexpr int ROWS_AT_ONCE = LOADERS / 2;

// Columns 16 j .. 16 j + 15 of the left operand, of the slice's rows; others are read for nothing that is kept.
__device__ void load_left_slice(const Slice &slice, bf16 *left, int j, int thread) {
    int row = thread / 2, half = thread % 2;
    int first = slice.first_row, end = slice.end_row, stride = slice.low_rank_stride;
    const bf16 *from = slice.low_rank + (row - first) * stride + half * CHUNK;
    bf16 *to = chunk_at<DEPTH>(left, row, j * 2 + half);
    if (half * CHUNK < slice.ranks) {
        uint32_t address = shared_address(to);
#pragma unroll
        for (int i = 0; i < LINEAR_ROWS; i += ROWS_AT_ONCE) {
            if (row + i >= first && row + i < end) copy_chunk_async(address + i * DEPTH * 2, from + i * stride);
        }
    } else {
        for (int i = 0; row + i < LINEAR_ROWS; i += ROWS_AT_ONCE) *(uint4 *)(to + i * DEPTH) = {0, 0, 0, 0};
    }
}

// Columns 16 j .. of the right operand (256, 64): B of the part's outputs, zeros elsewhere.
__device__ void load_right_slice(const Slice &slice, bf16 *right, int j, int thread) {
    int row = thread / 2, half = thread % 2;
    int first = slice.first_column, end = slice.end_column, stride = slice.operand_stride;
    int valid = min(max(slice.valid - half * CHUNK, 0), CHUNK);
    const bf16 *from = slice.operand + row * stride + half * CHUNK;
    bf16 *to = chunk_at<DEPTH>(right, row, j * 2 + half);
    if (first <= 0 && end >= COLUMNS && valid == CHUNK) {
        uint32_t address = shared_address(to);
#pragma unroll
        for (int i = 0; i < COLUMNS; i += ROWS_AT_ONCE) {
            if (row + i < COLUMNS) copy_chunk_async(address + i * DEPTH * 2, from + i * stride);
        }
    } else {
        for (int i = 0; row + i < COLUMNS; i += ROWS_AT_ONCE) {
            copy_async(to + i * DEPTH, from + i * stride, row + i >= first && row + i < end ? valid * 2 : 0);
        }
    }
}

// Rows 16 j .. of the right operand, four tiles (64, 64): A.
__device__ void load_right_slice_transposed(const Slice &slice, bf16 *right, int j, int thread, int columns) {
    constexpr int CHUNKS = COLUMNS / CHUNK, AT_ONCE = LOADERS / CHUNKS;
    int row = thread / CHUNKS, chunk = thread % CHUNKS, stride = slice.operand_stride;
    const bf16 *from = slice.operand + row * stride + chunk * CHUNK;
    bf16 *tile = right + chunk / 8 * 64 * DEPTH + j * SLICE_RANKS * 64;
    if (columns >= COLUMNS && slice.valid >= SLICE_RANKS) {
        uint32_t address = shared_address(tile);
#pragma unroll
        for (int i = 0; i < SLICE_RANKS; i += AT_ONCE) {
            int at = swizzle<64>(row + i, chunk % 8) * CHUNK * 2;
            if (row + i < SLICE_RANKS) copy_chunk_async(address + at, from + i * stride);
        }
    } else {
        int end = chunk * CHUNK < columns ? slice.valid : 0;
        for (int i = 0; row + i < SLICE_RANKS; i += AT_ONCE) {
            copy_async(chunk_at<64>(tile, row + i, chunk % 8), from + i * stride, row + i < end ? 16 : 0);
        }
    }
}

// Fetches what a slice needs of A or B to the L2 cache, long before it is copied.
template <bool BACKWARD>
__device__ void prefetch_slice(const Slice &slice, int thread, int columns) {
    constexpr int LINE = 64;  // elements
    if (BACKWARD) {
        for (int i = thread; i < SLICE_RANKS * COLUMNS / LINE; i += LOADERS) {
            int row = i / (COLUMNS / LINE), column = i % (COLUMNS / LINE) * LINE;
            if (row < slice.valid && column < columns) prefetch(slice.operand + row * slice.operand_stride + column);
        }
    } else if (slice.first_rank % LINE == 0) {
        for (int row = max(0, slice.first_column) + thread; row < min(COLUMNS, slice.end_column); row += LOADERS) {
            prefetch(slice.operand + row * slice.operand_stride);
        }
    }
}

// The warpgroups that have rows of a slice: 1, 2 or 3 for both.
__device__ int warpgroups_of(const Slice &slice) { return (slice.first_row < 64 ? 1 : 0) | (slice.end_row > 64 ? 2 : 0); }

// Copies the slices of one step to its stage, those of the upper warpgroup first, and returns which are for which.
template <bool BACKWARD>
__device__ uint32_t load_step(const Slice *slices, int count, bf16 *left, int thread, int columns) {
    int ends[4] = {0, 0, 0, 0}, at = 0;
#pragma unroll
    for (int warpgroups : {1, 3, 2}) {
        for (int j = 0; j < count; j++) {
            if (warpgroups_of(slices[j]) == warpgroups) {
                if (BACKWARD) {
                    load_right_slice_transposed(slices[j], left + LEFT, at, thread, columns);
                } else {
                    load_right_slice(slices[j], left + LEFT, at, thread);
                }
                load_left_slice(slices[j], left, at, thread);
                at++;
            }
        }
        ends[warpgroups] = at;
    }
    copy_commit();
    return (uint32_t)(ends[3] << 8 | ends[1] << 16 | ends[2] << 24);
}

template <bool BACKWARD>
__device__ void load_low_rank(const Arguments &g, bf16 *stages, Shared &shared, int thread) {
    Turn granted;
    uint32_t tile = 0;  // turn of its first step
    int steps = divide_up(g.depth, DEPTH) + g.extra;
    wait_for_grids();
    launch_dependents();  // who starts then finds S and all that came before
    for (Walk walk(g); walk.advance(); tile += (uint32_t)steps) {
        Range range = slices_of<BACKWARD>(g, walk.block, walk.column);
        for (int step = 0; step < g.extra; step++, granted.count++) {
            int first = range.first + step * STEP_SLICES;
            Slice *slices = shared.slices + step * STEP_SLICES % HELD_SLICES;
            if (slices == shared.slices) {
                if (thread < HELD_SLICES && first + thread < range.end) {
                    slices[thread] = describe<BACKWARD>(g, g.slices[first + thread], walk.block, walk.column);
                }
                wait_named(1, LOADERS);
                for (int i = 0; i < min(HELD_SLICES, range.end - first); i++) {
                    prefetch_slice<BACKWARD>(slices[i], thread, g.columns - walk.column);
                }
            }
            int stage = Turn{tile + (uint32_t)(place(g, step) + step)}.stage();
            int count = min(STEP_SLICES, range.end - first);
            barrier_wait(&shared.granted[granted.stage()], granted.parity());
            uint32_t held = load_step<BACKWARD>(slices, count, stages + stage * STAGE, thread, g.columns - walk.column);
            if (thread == 0) shared.held[stage] = held;
            copy_wait<0>();
            show_shared();
            wait_named(1, LOADERS);
            if (thread == 0) barrier_arrive(&shared.full[stage]);
        }
    }
}

template <bool BACKWARD>
__device__ inline uint64_t right_operand(bf16 *right) {
    return BACKWARD ? operand_transposed<64>(right, 64 * DEPTH * 2) : operand(right);
}

__device__ inline float2 bias_at(const Arguments &g, int column) {
    uint32_t pair = column < g.columns ? *(const uint32_t *)(g.bias + column) : 0;
    return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u)};
}

__device__ inline void release(uint64_t *empty) {
    if (threadIdx.x % WARPGROUP < CLUSTER) barrier_arrive_at(empty, threadIdx.x % WARPGROUP);
}

__device__ inline uint32_t sum(uint32_t l, uint32_t r) {
    return pack(__uint_as_float(l << 16) + __uint_as_float(r << 16),
                __uint_as_float(l & 0xffff0000u) + __uint_as_float(r & 0xffff0000u));
}

// Of eight bf16 values each.
__device__ inline uint4 sum(const uint4 &l, const uint4 &r) {
    return {sum(l.x, r.x), sum(l.y, r.y), sum(l.z, r.z), sum(l.w, r.w)};
}

// Writes eight results of each of several rows, 4 apart.
__device__ inline void write_rows(const Arguments &g, const uint4 (&results)[STORE_ROWS / 4], int row, int column) {
    int64_t at = (int64_t)row * g.columns + column;
    int step = 4 * g.columns, rows = g.rows - row;
    bf16 *out = g.out + at;
    if (g.add == nullptr) {
#pragma unroll
        for (int i = 0; i < STORE_ROWS / 4; i++) {
            if (i * 4 < rows) *(uint4 *)(out + i * step) = results[i];
        }
    } else {
#pragma unroll
        for (int i = 0; i < STORE_ROWS / 4; i++) {
            if (i * 4 < rows) *(uint4 *)(out + i * step) = sum(results[i], *(const uint4 *)(g.add + at + i * step));
        }
    }
}

// Writes 64 x 256 results, 64 columns at a time by way of shared memory, so that rows are written 128 bytes at once.
__device__ void store(const Arguments &g, bf16 *staged, float (&sums)[128], int first_row, int first_column) {
    int warp = (int)threadIdx.x % WARPGROUP / 32, lane = (int)threadIdx.x % 32;
    int from_row = lane % 16, to_row = lane / 8, to_chunk = lane % 8;  // of the 16 x 64 that a warp takes
    int row = first_row + warp * STORE_ROWS + to_row;
#pragma unroll
    for (int quarter = 0; quarter < COLUMNS / STORE_COLUMNS; quarter++) {
        bf16 *tile = staged + quarter % 2 * STORE;
        int column = first_column + quarter * STORE_COLUMNS;
#pragma unroll
        for (int i = 0; i < STORE_COLUMNS / 16; i++) {
            const float *d = sums + (quarter * 8 + i * 2) * 4;
            float2 low = {0.0f, 0.0f}, high = {0.0f, 0.0f};
            if (g.bias != nullptr) {
                low = bias_at(g, column + i * 16 + fragment_column());
                high = bias_at(g, column + i * 16 + 8 + fragment_column());
            }
            uint32_t pairs[4] = {pack(d[0] + low.x, d[1] + low.y), pack(d[2] + low.x, d[3] + low.y),
                                 pack(d[4] + high.x, d[5] + high.y), pack(d[6] + high.x, d[7] + high.y)};
            store_matrix4(chunk_at<STORE_COLUMNS>(tile, from_row, i * 2 + lane / 16), pairs);
        }
        __syncwarp();
        column += to_chunk * CHUNK;
        uint4 results[STORE_ROWS / 4];
#pragma unroll
        for (int i = 0; i < STORE_ROWS / 4; i++) results[i] = *(const uint4 *)chunk_at<STORE_COLUMNS>(tile, to_row + i * 4, to_chunk);
        if (column < g.columns) write_rows(g, results, row, column);
    }
    __syncwarp();
}

// Takes `count` steps of the frozen product, and gives stages back when they have been read. add: 0 before the tile's first
// product, which overwrites the sums.
template <bool BACKWARD>
__device__ void multiply_steps(float (&sums)[128], bf16 *stages, Shared &shared, Turn &turn, int half, int count, int &add) {
    constexpr int ALONG = BACKWARD ? 128 : 2;  // 16 further along the sum of the right operand
    int previous = 0;
    for (int step = 0; step < count; step++, turn.count++) {
        bf16 *left = stages + turn.stage() * STAGE;
        uint64_t a = operand(left + half * 64 * DEPTH), b = right_operand<BACKWARD>(left + LEFT);
        barrier_wait(&shared.full[turn.stage()], turn.parity());
        products_begin();
#pragma unroll
        for (int i = 0; i < DEPTH / 16; i++) multiply_group<BACKWARD>(sums, a + i * 2, b + i * ALONG, i > 0 ? 1 : add);
        products_commit();
        add = 1;
        if (step > 0) {
            products_wait<1>();
            release(&shared.empty[previous]);
        }
        previous = turn.stage();
    }
    products_wait<0>();
    hold(sums);
    if (count > 0) release(&shared.empty[previous]);
}

template <bool BACKWARD>
__device__ void multiply_tiles(const Arguments &g, bf16 *stages, bf16 *staged, Shared &shared) {
    constexpr int ALONG = BACKWARD ? 128 : 2;
    int half = (int)threadIdx.x / WARPGROUP - 1;
    staged += ((int)threadIdx.x / 32 - 4) * 2 * STORE;
    float sums[128];
    Turn turn;
    for (Walk walk(g); walk.advance();) {
        int add = 0, step = 0;
        for (int extra = 0; extra < g.extra; extra++, turn.count++) {
            multiply_steps<BACKWARD>(sums, stages, shared, turn, half, place(g, extra) - step, add);
            step = place(g, extra);
            bf16 *left = stages + turn.stage() * STAGE;
            uint64_t a = operand(left + half * 64 * DEPTH), b = right_operand<BACKWARD>(left + LEFT);
            barrier_wait(&shared.full[turn.stage()], turn.parity());
            uint32_t held = shared.held[turn.stage()] >> (16 * half);
            int first = (int)(held & 0xff), end = (int)(held >> 8 & 0xff);
            // products keep a warpgroup's warps together; without one, the first must not give back what others have not seen yet
            if (first == end) wait_named(2 + half, WARPGROUP);
            for (int i = first; i < end; i++) {
                products_begin();
                multiply_group<BACKWARD>(sums, a + i * 2, b + i * ALONG, add);
                products_commit();
                add = 1;
            }
            products_wait<0>();
            hold(sums);
            release(&shared.empty[turn.stage()]);
        }
        multiply_steps<BACKWARD>(sums, stages, shared, turn, half, divide_up(g.depth, DEPTH) - step, add);
        store(g, staged, sums, walk.block * LINEAR_ROWS + half * 64, walk.column);
    }
}

#define PLORA_CLUSTER __cluster_dims__(CLUSTER, 1, 1)
#else
#define PLORA_CLUSTER
#endif

template <bool BACKWARD>
__global__ void PLORA_CLUSTER __launch_bounds__(LINEAR_THREADS, 1) linear_kernel(
    Arguments g, const __grid_constant__ CUtensorMap left_map, const __grid_constant__ CUtensorMap right_map) {
#if defined(PLORA_HOPPER)
    bf16 *stages = (bf16 *)shared_memory();
    bf16 *staged = stages + STAGES * STAGE;
    Shared &shared = *(Shared *)(staged + STORES * STORE);
    if (threadIdx.x == 0) {
        prefetch_map(&left_map);
        prefetch_map(&right_map);
        for (int stage = 0; stage < STAGES; stage++) {
            barrier_init(&shared.full[stage], 1);
            barrier_init(&shared.granted[stage], 1);
            barrier_init(&shared.empty[stage], 2 * CLUSTER);  // warpgroups of both blocks
        }
        barrier_init_fence();
    }
    cluster_wait();
    if (!g.early) wait_for_grids();
    if (threadIdx.x < WARPGROUP) {
        give_registers<56>();
        if (threadIdx.x == 0) {
            copy_operands<BACKWARD>(g, left_map, right_map, stages, shared);
        } else if (threadIdx.x >= 32) {
            load_low_rank<BACKWARD>(g, stages, shared, (int)threadIdx.x - 32);
        }
    } else {
        take_registers<224>();
        multiply_tiles<BACKWARD>(g, stages, staged, shared);
    }
    __syncwarp();
    cluster_wait();  // nothing arrives at a block that has ended
#endif
}

template <bool BACKWARD>
int launch_linear(const Arguments &g, const void *left, const void *w, int clusters, void *stream) {
    CUtensorMap left_map, right_map;
    if (g.rows == 0) return PLORA_OK;
    PLORA_TRY(make_map(left_map, left, g.rows, g.depth, g.depth, LINEAR_ROWS));
    PLORA_TRY(BACKWARD ? make_map(right_map, w, g.depth, g.columns, g.columns, DEPTH)
                       : make_map(right_map, w, g.columns, g.depth, g.depth, COLUMNS / 2));
    return launch(linear_kernel<BACKWARD>, clusters * CLUSTER, LINEAR_THREADS, LINEAR_SHARED, stream, g, left_map, right_map);
}

Arguments arguments(const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms) {
    Arguments g = {};
    g.blocks = tiles + plan->first[PLORA_LINEAR_BLOCKS];
    g.slices = tiles + plan->first[PLORA_LINEAR_SLICES];
    g.terms = terms;
    g.parts = plan->parts;
    g.rows = plan->rows;
    return g;
}

int require_fit(const plora_lora_plan *plan) {
    PLORA_REQUIRE(plan->cluster_rows == 0, "cluster_rows (%d) must be 0: so few rows have no plan for this.", plan->cluster_rows);
    return PLORA_OK;
}

}  // namespace
}  // namespace plora

using namespace plora;

int plora_lora_linear(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const int64_t *dropout_keys, const void *x,
    const void *w, void *y, const void *add, const void *bias, void *low_rank, void *workspace, void *stream) {
    PLORA_TRY(require_fit(plan));
    Arguments g = arguments(plan, tiles, terms);
    g.low_rank = (const bf16 *)low_rank;
    g.out = (bf16 *)y;
    g.add = (const bf16 *)add;
    g.bias = (const bf16 *)bias;
    g.depth = plan->inputs;
    g.columns = plan->outputs;
    if (plan->count[PLORA_LINEAR_SHRINK] > 0) {
        PLORA_TRY(launch_linear<false>(g, x, w, plan->linear_clusters, stream));
        PLORA_TRY(shrink_behind(plan, tiles, terms, dropout_keys, x, low_rank, workspace, stream));
        return plora_lora_expand(plan, tiles, terms, low_rank, y, y, nullptr, stream);
    }
    PLORA_TRY(plora_lora_shrink(plan, tiles, terms, dropout_keys, x, low_rank, workspace, stream));
    g.extra = plan->linear_steps;
    g.early = plan->count[PLORA_SHRINK] > 0;
    PLORA_TRY(launch_linear<false>(g, x, w, plan->linear_clusters, stream));
    return expand_mixed(plan, tiles, terms, low_rank, y, stream);
}

int plora_lora_linear_backward(
    const plora_lora_plan *plan, const plora_tile *tiles, const plora_term *terms, const void *x, const void *dy, const void *w,
    void *dx, const void *low_rank, void *workspace, void *stream) {
    PLORA_TRY(require_fit(plan));
    PLORA_REQUIRE(!plan->drops, "drops (%d) must be 0: masks lie between dx and the low-rank terms.", plan->drops);
    bool with_b = plan->count[PLORA_LINEAR_GRADIENT_B] == 0;
    PLORA_TRY(low_rank_gradient(plan, tiles, terms, low_rank, dy, with_b, workspace, stream));
    Arguments g = arguments(plan, tiles, terms);
    g.low_rank = (const bf16 *)workspace;
    g.out = (bf16 *)dx;
    g.depth = plan->outputs;
    g.columns = plan->inputs;
    g.extra = plan->linear_backward_steps;
    g.early = plan->count[PLORA_GRADIENT_B] > 0;
    PLORA_TRY(launch_linear<true>(g, dy, w, plan->linear_backward_clusters, stream));
    return gradients_behind(plan, tiles, terms, x, low_rank, dy, dx, workspace, stream);
}

#endif
