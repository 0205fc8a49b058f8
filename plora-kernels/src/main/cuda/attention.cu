// Causal attention over ragged sequences with grouped-query heads, forward and backward (FlashAttention-2, Dao 2023).
//
// Scores are never stored: the forward keeps a running maximum and sum, the backward recomputes them from log-sum-exp.
// Probabilities are rounded to bf16 for the products, sums are f32. The backward has blocks for keys and values and others for
// queries, each owning what it writes: scores are computed twice, and no atomics are needed. A block of four warps takes 64 rows
// of one head, a warp 16 of them; the other side streams through shared memory, one tile ahead. Where few blocks would have to
// go through all query heads that share a head of keys, each takes one of them, and what they found is added up in order.
#include <math.h>

#include <algorithm>

#include "device.cuh"

namespace plora {
namespace {

constexpr int THREADS = 128;
constexpr int TILE = 64;
constexpr int FEW_BLOCKS = 64;  // fewer than half of a large device takes at once
constexpr float LOG2E = 1.4426950408889634f;

// Elements from one row of a tile to the next: swizzling needs a power of two.
constexpr int stride_of(int size) { return size == 96 ? 128 : size; }

// Rows of the streamed side that a step takes, so that sums fit in registers.
constexpr int step_of(int size) { return size > 64 ? 32 : 64; }

struct Rows {
    plora_heads heads;
    int head, kv_head;
    plora_attention_tile tile;

    __device__ int width() const { return (heads.heads + 2 * heads.kv_heads) * heads.head_size; }
    __device__ int64_t row(int i) const { return tile.start + i; }
    __device__ const bf16 *queries(const bf16 *qkv, int i) const { return qkv + row(i) * width() + head * heads.head_size; }
    __device__ const bf16 *keys(const bf16 *qkv, int i) const {
        return qkv + row(i) * width() + (heads.heads + kv_head) * heads.head_size;
    }
    __device__ const bf16 *values(const bf16 *qkv, int i) const { return keys(qkv, i) + heads.kv_heads * heads.head_size; }
    __device__ int64_t output(int i) const { return (row(i) * heads.heads + head) * heads.head_size; }
};

// Copies rows of one head; those from `valid` on become zeros.
template <int ROWS, int D>
__device__ void load_rows(bf16 *tile, const bf16 *from, int stride, int valid) {
    copy_tile_async<ROWS, stride_of(D), THREADS>(tile, from, stride, [&](int row, int chunk) {
        return row < valid && chunk < D / CHUNK ? 16 : 0;
    });
}

// Products of a warp's 16 rows of one tile with all N rows of another, over the head.
template <int N, int D>
__device__ void multiply_rows(float (&sums)[N / 8][4], bf16 *left_tile, bf16 *right_tile) {
    constexpr int S = stride_of(D);
#pragma unroll
    for (int n = 0; n < N / 8; n++) sums[n][0] = sums[n][1] = sums[n][2] = sums[n][3] = 0.0f;
#pragma unroll
    for (int k = 0; k < D; k += 16) {
        uint32_t left[4], right[4];
        load_left<S>(left, left_tile, threadIdx.x / 32 * 16, k);
#pragma unroll
        for (int n = 0; n < N; n += 16) {
            load_right<S>(right, right_tile, n, k);
            multiply(sums[n / 8], left, right[0], right[1]);
            multiply(sums[n / 8 + 1], left, right[2], right[3]);
        }
    }
}

// sums += weights (16, N) times tile (N, D); weights as they come out of multiply_rows.
template <int N, int D>
__device__ void multiply_weights(float (&sums)[D / 8][4], const float (&weights)[N / 8][4], bf16 *tile) {
#pragma unroll
    for (int k = 0; k < N; k += 16) {
        const float(&low)[4] = weights[k / 8], (&high)[4] = weights[k / 8 + 1];
        uint32_t left[4] = {pack(low[0], low[1]), pack(low[2], low[3]), pack(high[0], high[1]), pack(high[2], high[3])};
#pragma unroll
        for (int n = 0; n < D; n += 16) {
            uint32_t right[4];
            load_right_transposed<stride_of(D)>(right, tile, n, k);
            multiply(sums[n / 8], left, right[0], right[1]);
            multiply(sums[n / 8 + 1], left, right[2], right[3]);
        }
    }
}

// Writes a warp's 16 rows, each of its two row halves scaled by its own factor.
template <int D>
__device__ void store_rows(bf16 *to, int stride, int valid, const float (&sums)[D / 8][4], float low_scale, float high_scale) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = threadIdx.x / 32 * 16 + fragment_row() + half * 8;
        float scale = half ? high_scale : low_scale;
#pragma unroll
        for (int group = 0; group < D / 32; group++) {
            uint32_t pairs[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float(&block)[4] = sums[group * 4 + i];
                pairs[i] = pack(block[half * 2] * scale, block[half * 2 + 1] * scale);
            }
            uint4 result = gather_block(pairs);
            if (row < valid) *(uint4 *)(to + (int64_t)row * stride + group * 32 + (threadIdx.x & 3) * CHUNK) = result;
        }
    }
}

__device__ inline float max_of_four_threads(float v) {
    v = fmaxf(v, shuffle_xor(v, 1));
    return fmaxf(v, shuffle_xor(v, 2));
}

__device__ inline float sum_of_four_threads(float v) {
    v += shuffle_xor(v, 1);
    return v + shuffle_xor(v, 2);
}

// ---- forward ----

// Softmax of the rows r and r + 8 that a thread has a part of, one tile of keys after the other.
struct Running {
    float max[2] = {-INFINITY, -INFINITY};
    float sum[2] = {0.0f, 0.0f};  // this thread's part

    // Turns scores into weights relative to the new maximum and scales what was summed up under the old one.
    template <int D>
    __device__ void take(float (&scores)[TILE / 8][4], float (&sums)[D / 8][4], float scale) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float largest = max[half];
#pragma unroll
            for (int n = 0; n < TILE / 8; n++) largest = fmaxf(largest, fmaxf(scores[n][half * 2], scores[n][half * 2 + 1]));
            largest = max_of_four_threads(largest);
            float shrink = exp2f((max[half] - largest) * scale);
            max[half] = largest;
            sum[half] *= shrink;
#pragma unroll
            for (int n = 0; n < D / 8; n++) sums[n][half * 2] *= shrink, sums[n][half * 2 + 1] *= shrink;
#pragma unroll
            for (int n = 0; n < TILE / 8; n++) {
#pragma unroll
                for (int e = half * 2; e < half * 2 + 2; e++) {
                    scores[n][e] = exp2f((scores[n][e] - largest) * scale);
                    sum[half] += scores[n][e];
                }
            }
        }
    }
};

template <int D>
__device__ void attention_tile(const Rows &r, const bf16 *qkv, bf16 *y, float *log_sum) {
    constexpr int SIZE = TILE * stride_of(D);
    bf16 *q_tile = (bf16 *)shared_memory();
    bf16 *stages = q_tile + SIZE;  // keys, then values; twice
    int first = r.tile.first, length = r.tile.length;
    int tiles = first / TILE + 1;
    auto load = [&](int i) {
        bf16 *stage = stages + i % 2 * 2 * SIZE;
        if (i < tiles) {
            load_rows<TILE, D>(stage, r.keys(qkv, i * TILE), r.width(), length - i * TILE);
            load_rows<TILE, D>(stage + SIZE, r.values(qkv, i * TILE), r.width(), length - i * TILE);
        }
        copy_commit();
    };
    load_rows<TILE, D>(q_tile, r.queries(qkv, first), r.width(), length - first);
    load(0);
    float sums[D / 8][4] = {}, scale = LOG2E / sqrtf((float)D);
    Running running;
    for (int i = 0; i < tiles; i++) {
        copy_wait<0>();
        __syncthreads();
        load(i + 1);
        bf16 *stage = stages + i % 2 * 2 * SIZE;
        float scores[TILE / 8][4];
        multiply_rows<TILE, D>(scores, q_tile, stage);
        if (i == tiles - 1) {
#pragma unroll
            for (int n = 0; n < TILE / 8; n++) {
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    int key = n * 8 + fragment_column() + e % 2, query = threadIdx.x / 32 * 16 + fragment_row() + e / 2 * 8;
                    if (key > query) scores[n][e] = -INFINITY;
                }
            }
        }
        running.take<D>(scores, sums, scale);
        multiply_weights<TILE, D>(sums, scores, stage + SIZE);
    }
    copy_wait<0>();
    float total[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        total[half] = sum_of_four_threads(running.sum[half]);
        int row = threadIdx.x / 32 * 16 + fragment_row() + half * 8;
        if (first + row < length && threadIdx.x % 4 == 0) {
            log_sum[r.row(first + row) * r.heads.heads + r.head] = running.max[half] * (scale / LOG2E) + logf(total[half]);
        }
    }
    store_rows<D>(y + r.output(first), r.heads.heads * D, length - first, sums, 1.0f / total[0], 1.0f / total[1]);
}

__device__ Rows rows_of(const plora_heads &heads, const plora_attention_tile *tiles, int block, int head_count) {
    Rows r;
    r.heads = heads;
    r.head = block % head_count;
    r.kv_head = head_count == heads.heads ? r.head / (heads.heads / heads.kv_heads) : r.head;
    r.tile = tiles[block / head_count];
    return r;
}

template <int D>
__global__ void __launch_bounds__(THREADS)
    attention_kernel(plora_heads heads, const plora_attention_tile *tiles, const bf16 *qkv, bf16 *y, float *log_sum) {
    Rows r = rows_of(heads, tiles, (int)blockIdx.x, heads.heads);
    wait_for_previous();
    attention_tile<D>(r, qkv, y, log_sum);
}

// ---- backward ----

// (T, heads): products of each row's output with its gradient. One block a row.
__global__ void __launch_bounds__(THREADS) output_products_kernel(const bf16 *y, const bf16 *dy, float *products, int heads, int size) {
    wait_for_previous();
    int lane = threadIdx.x % 32;
    for (int head = threadIdx.x / 32; head < heads; head += THREADS / 32) {
        int64_t at = ((int64_t)blockIdx.x * heads + head) * size + lane * CHUNK;
        float sum = 0.0f;
        if (lane * CHUNK < size) {
            float l[8], r[8];
            unpack(*(const uint4 *)(y + at), l);
            unpack(*(const uint4 *)(dy + at), r);
#pragma unroll
            for (int e = 0; e < 8; e++) sum += l[e] * r[e];
        }
        sum = warp_sum(sum);
        if (lane == 0) products[(int64_t)blockIdx.x * heads + head] = sum;
    }
}

struct Backward {
    plora_heads heads;
    const plora_attention_tile *tiles;  // of queries, then of keys
    int count;                          // of each
    int pieces;                         // blocks that share the queries of keys: 1, or one a head of the group
    const bf16 *qkv;
    const float *log_sum;
    const bf16 *y, *dy;
    const float *products;  // or null where each block makes those that it needs
    bf16 *d_qkv;
    float *partials;  // (tiles of keys and kv_heads, pieces, 2, 64, D): gradients of keys, then of values
};

// The product of a row's output with its gradient, by some neighbouring threads, a part of which each has read.
template <int D, int THREADS_OF_ROW>
struct RowProduct {
    static constexpr int CHUNKS = D / CHUNK / THREADS_OF_ROW;
    uint4 y[CHUNKS], dy[CHUNKS];

    static __device__ int row() { return (int)threadIdx.x / THREADS_OF_ROW; }

    __device__ void read(const bf16 *from_y, const bf16 *from_dy, bool valid) {
        int first = (int)threadIdx.x % THREADS_OF_ROW * CHUNKS;
#pragma unroll
        for (int i = 0; i < CHUNKS; i++) {
            y[i] = valid ? ((const uint4 *)from_y)[first + i] : uint4{0, 0, 0, 0};
            dy[i] = valid ? ((const uint4 *)from_dy)[first + i] : uint4{0, 0, 0, 0};
        }
    }

    // In all threads of the row.
    __device__ float value() const {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < CHUNKS; i++) {
            float l[8], r[8];
            unpack(y[i], l);
            unpack(dy[i], r);
#pragma unroll
            for (int e = 0; e < 8; e++) sum += l[e] * r[e];
        }
#pragma unroll
        for (int mask = 1; mask < THREADS_OF_ROW; mask *= 2) sum += shuffle_xor(sum, mask);
        return sum;
    }
};

// Writes a warp's 16 rows as they are.
template <int D>
__device__ void store_partial(float *to, const float (&sums)[D / 8][4], float scale) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float *row = to + (threadIdx.x / 32 * 16 + fragment_row() + half * 8) * D + fragment_column();
#pragma unroll
        for (int n = 0; n < D / 8; n++) *(float2 *)(row + n * 8) = {sums[n][half * 2] * scale, sums[n][half * 2 + 1] * scale};
    }
}

// Gradients of 64 keys and values of one head, from all queries that see them, of all heads of the group or of one. A warp has 16
// keys; scores lie the other way: (keys, queries).
template <int D>
__device__ void keys_tile(const Backward &b, const Rows &r, int block) {
    const bf16 *qkv = b.qkv, *dy = b.dy;
    const float *log_sum = b.log_sum, *products = b.products;
    constexpr int Q = step_of(D), SIZE = TILE * stride_of(D), STEP = Q * stride_of(D);
    bf16 *k_tile = (bf16 *)shared_memory(), *v_tile = k_tile + SIZE;
    bf16 *stages = v_tile + SIZE;                     // queries, then output gradients; twice
    float *per_row = (float *)(stages + 2 * 2 * STEP);  // log-sum-exp, then products; twice
    int first = r.tile.first, length = r.tile.length, group = r.heads.heads / r.heads.kv_heads;
    int steps_of_head = divide_up(length - first, Q);
    int begin = b.pieces == 1 ? 0 : block % b.pieces * steps_of_head;
    int steps = b.pieces == 1 ? steps_of_head * group : begin + steps_of_head;
    RowProduct<D, THREADS / Q> product;
    auto read_product = [&](int i) {
        if (products != nullptr || i >= steps) return;
        Rows q = r;
        q.head = r.kv_head * group + i / steps_of_head;
        int row = first + i % steps_of_head * Q + product.row();
        product.read(b.y + q.output(row), dy + q.output(row), row < length);
    };
    auto write_product = [&](int i) {
        if (products != nullptr || i >= steps) return;
        float value = product.value();
        if (threadIdx.x % (THREADS / Q) == 0) per_row[i % 2 * 2 * Q + Q + product.row()] = value;
    };
    auto load = [&](int i) {
        if (i < steps) {
            Rows q = r;
            q.head = r.kv_head * group + i / steps_of_head;
            int row0 = first + i % steps_of_head * Q;
            bf16 *stage = stages + i % 2 * 2 * STEP;
            load_rows<Q, D>(stage, q.queries(qkv, row0), r.width(), length - row0);
            load_rows<Q, D>(stage + STEP, dy + q.output(row0), r.heads.heads * D, length - row0);
            int row = threadIdx.x % Q;
            int64_t at = r.row(row0 + row) * r.heads.heads + q.head;
            bool valid = row0 + row < length;
            float *to = per_row + i % 2 * 2 * Q + row;
            if ((int)threadIdx.x < Q) {
                copy_word_async(to, log_sum + at, valid);
                if (products != nullptr) copy_word_async(to + Q, products + at, valid);
            }
        }
        copy_commit();
    };
    load_rows<TILE, D>(k_tile, r.keys(qkv, first), r.width(), length - first);
    load_rows<TILE, D>(v_tile, r.values(qkv, first), r.width(), length - first);
    load(begin);
    read_product(begin);
    write_product(begin);
    float dk[D / 8][4] = {}, dv[D / 8][4] = {}, scale = 1.0f / sqrtf((float)D);
    for (int i = begin; i < steps; i++) {
        copy_wait<0>();
        __syncthreads();
        load(i + 1);
        read_product(i + 1);
        bf16 *q_tile = stages + i % 2 * 2 * STEP, *dy_tile = q_tile + STEP;
        const float *row_log_sum = per_row + i % 2 * 2 * Q, *row_products = row_log_sum + Q;
        int row0 = i % steps_of_head * Q;  // counted from the first key
        bool masked = row0 < TILE || first + row0 + Q > length;
        float p[Q / 8][4], dp[Q / 8][4];
        multiply_rows<Q, D>(p, k_tile, q_tile);
        multiply_rows<Q, D>(dp, v_tile, dy_tile);
#pragma unroll
        for (int n = 0; n < Q / 8; n++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int query = n * 8 + fragment_column() + e % 2, key = threadIdx.x / 32 * 16 + fragment_row() + e / 2 * 8;
                p[n][e] = exp2f((p[n][e] * scale - row_log_sum[query]) * LOG2E);
                if (masked && (key > row0 + query || first + row0 + query >= length)) p[n][e] = 0.0f;
                dp[n][e] = p[n][e] * (dp[n][e] - row_products[query]);
            }
        }
        multiply_weights<Q, D>(dv, p, dy_tile);
        multiply_weights<Q, D>(dk, dp, q_tile);
        write_product(i + 1);
    }
    copy_wait<0>();
    if (b.pieces > 1) {
        float *to = b.partials + (int64_t)block * 2 * TILE * D;
        store_partial<D>(to, dk, scale);
        store_partial<D>(to + TILE * D, dv, 1.0f);
        return;
    }
    store_rows<D>((bf16 *)r.keys(b.d_qkv, first), r.width(), length - first, dk, scale, scale);
    store_rows<D>((bf16 *)r.values(b.d_qkv, first), r.width(), length - first, dv, 1.0f, 1.0f);
}

// Adds up the pieces of a head's keys and values, D / 8 blocks a tile, eight elements a thread.
template <int D>
__global__ void __launch_bounds__(THREADS) add_pieces_kernel(Backward b) {
    constexpr int BLOCKS = D / CHUNK;
    int tile = (int)blockIdx.x / BLOCKS, at = ((int)blockIdx.x % BLOCKS * THREADS + (int)threadIdx.x) * CHUNK;
    Rows r = rows_of(b.heads, b.tiles + b.count, tile, b.heads.kv_heads);
    int row = r.tile.first + at / D % TILE;
    wait_for_previous();
    if (row >= r.tile.length) return;
    float sum[CHUNK] = {};
    const float *from = b.partials + (int64_t)tile * b.pieces * 2 * TILE * D + at;
#pragma unroll 8
    for (int piece = 0; piece < b.pieces; piece++, from += 2 * TILE * D) {
        float4 low = ((const float4 *)from)[0], high = ((const float4 *)from)[1];
        float more[CHUNK] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int e = 0; e < CHUNK; e++) sum[e] += more[e];
    }
    bf16 *to = (bf16 *)(at < TILE * D ? r.keys(b.d_qkv, row) : r.values(b.d_qkv, row));
    *(uint4 *)(to + at % D) = pack(sum);
}

// Gradients of 64 queries of one head, from all keys that they see.
template <int D>
__device__ void queries_tile(const Backward &b, const Rows &r) {
    const bf16 *qkv = b.qkv, *dy = b.dy;
    constexpr int K = step_of(D), SIZE = TILE * stride_of(D), STEP = K * stride_of(D);
    bf16 *q_tile = (bf16 *)shared_memory(), *dy_tile = q_tile + SIZE;
    bf16 *stages = dy_tile + SIZE;  // keys, then values; twice
    int first = r.tile.first, length = r.tile.length;
    int steps = divide_up(min(first + TILE, length), K);
    auto load = [&](int i) {
        bf16 *stage = stages + i % 2 * 2 * STEP;
        if (i < steps) {
            load_rows<K, D>(stage, r.keys(qkv, i * K), r.width(), length - i * K);
            load_rows<K, D>(stage + STEP, r.values(qkv, i * K), r.width(), length - i * K);
        }
        copy_commit();
    };
    load_rows<TILE, D>(q_tile, r.queries(qkv, first), r.width(), length - first);
    load_rows<TILE, D>(dy_tile, dy + r.output(first), r.heads.heads * D, length - first);
    load(0);
    int query = first + threadIdx.x / 32 * 16 + fragment_row();
    float row_log_sum[2], row_products[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = min(query + half * 8, length - 1);
        row_log_sum[half] = b.log_sum[r.row(row) * r.heads.heads + r.head];
        if (b.products != nullptr) {
            row_products[half] = b.products[r.row(row) * r.heads.heads + r.head];
        } else {
            RowProduct<D, 4> product;  // the four threads that share a row of scores
            product.read(b.y + r.output(row), dy + r.output(row), true);
            row_products[half] = product.value();
        }
    }
    float dq[D / 8][4] = {}, scale = 1.0f / sqrtf((float)D);
    for (int i = 0; i < steps; i++) {
        copy_wait<0>();
        __syncthreads();
        load(i + 1);
        bf16 *k_tile = stages + i % 2 * 2 * STEP, *v_tile = k_tile + STEP;
        bool masked = (i + 1) * K > first;
        float p[K / 8][4], dp[K / 8][4];
        multiply_rows<K, D>(p, q_tile, k_tile);
        multiply_rows<K, D>(dp, dy_tile, v_tile);
#pragma unroll
        for (int n = 0; n < K / 8; n++) {
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int key = i * K + n * 8 + fragment_column() + e % 2;
                p[n][e] = exp2f((p[n][e] * scale - row_log_sum[e / 2]) * LOG2E);
                if (masked && key > query + e / 2 * 8) p[n][e] = 0.0f;
                dp[n][e] = p[n][e] * (dp[n][e] - row_products[e / 2]);
            }
        }
        multiply_weights<K, D>(dq, dp, k_tile);
    }
    copy_wait<0>();
    store_rows<D>((bf16 *)r.queries(b.d_qkv, first), r.width(), length - first, dq, scale, scale);
}

// Fetches a tile of two matrices, which the forward pass left, while others are at work.
template <int D>
__device__ void prefetch_tile(const Rows &r, const bf16 *first, int first_stride, const bf16 *second, int second_stride) {
    constexpr int LINE = 64, LINES = divide_up(D, LINE);  // elements; of a row
    for (int i = threadIdx.x; i < min(TILE, r.tile.length - r.tile.first) * LINES; i += THREADS) {
        int row = i / LINES, column = i % LINES * LINE;
        prefetch(first + (int64_t)row * first_stride + column);
        prefetch(second + (int64_t)row * second_stride + column);
    }
}

// The first blocks take keys, the others queries.
template <int D>
__global__ void __launch_bounds__(THREADS) attention_backward_kernel(Backward b) {
    int block = (int)blockIdx.x, keys = b.count * b.heads.kv_heads * b.pieces;
    if (block < keys) {
        Rows r = rows_of(b.heads, b.tiles + b.count, block / b.pieces, b.heads.kv_heads);
        prefetch_tile<D>(r, r.keys(b.qkv, r.tile.first), r.width(), r.values(b.qkv, r.tile.first), r.width());
        wait_for_previous();
        keys_tile<D>(b, r, block);
    } else {
        Rows r = rows_of(b.heads, b.tiles, block - keys, b.heads.heads);
        prefetch_tile<D>(r, r.queries(b.qkv, r.tile.first), r.width(), b.y + r.output(r.tile.first), r.heads.heads * D);
        wait_for_previous();
        queries_tile<D>(b, r);
    }
}

// ---- launches ----

template <int D>
int forward(
    const plora_heads &heads, const plora_attention_tile *tiles, int count, const bf16 *qkv, bf16 *y, float *log_sum,
    void *stream) {
    int shared = 5 * TILE * stride_of(D) * 2;
    return launch(attention_kernel<D>, count * heads.heads, THREADS, shared, stream, heads, tiles, qkv, y, log_sum);
}

template <int D>
int backward(const Backward &b, void *stream) {
    int shared = (2 * TILE + 4 * step_of(D)) * stride_of(D) * 2 + 4 * step_of(D) * (int)sizeof(float);
    int tiles = b.count * b.heads.kv_heads;
    PLORA_TRY(launch(attention_backward_kernel<D>, tiles * b.pieces + b.count * b.heads.heads, THREADS, shared, stream, b));
    return b.pieces == 1 ? PLORA_OK : launch(add_pieces_kernel<D>, tiles * D / CHUNK, THREADS, 0, stream, b);
}

// Blocks that share the queries of one tile of keys.
int pieces_of(const plora_heads &heads, int count) {
    return count * heads.kv_heads <= FEW_BLOCKS ? heads.heads / heads.kv_heads : 1;
}

int64_t products_bytes(const plora_heads &heads, int rows) {
    return divide_up<int64_t>((int64_t)rows * heads.heads * (int64_t)sizeof(float), 256) * 256;
}

int check(const plora_heads &heads) {
    PLORA_REQUIRE(heads.kv_heads > 0 && heads.heads % heads.kv_heads == 0, "heads (%d) must be a multiple of kv_heads (%d).",
                  heads.heads, heads.kv_heads);
    int size = heads.head_size;
    PLORA_REQUIRE(size == 32 || size == 64 || size == 96 || size == 128, "head_size (%d) must be 32, 64, 96 or 128.", size);
    return PLORA_OK;
}

}  // namespace
}  // namespace plora

using namespace plora;

int plora_attention_plan(
    const int32_t *sequence_starts, int32_t sequences, plora_attention_tile *tiles, int32_t capacity, int32_t *count) {
    *count = 0;
    for (int32_t s = 0; s < sequences; s++) {
        int32_t start = sequence_starts[s], length = sequence_starts[s + 1] - start;
        PLORA_REQUIRE(length >= 0, "sequence_starts[%d] (%d) is below the one before.", s + 1, sequence_starts[s + 1]);
        for (int32_t first = 0; first < length; first += TILE, ++*count) {
            if (tiles == nullptr) continue;
            PLORA_REQUIRE(*count < capacity / 2, "capacity (%d) must be at least twice the count.", capacity);
            tiles[*count] = {start, length, first, 0};
        }
    }
    if (tiles == nullptr) return PLORA_OK;
    plora_attention_tile *keys = tiles + *count;
    std::copy(tiles, keys, keys);
    using Tile = plora_attention_tile;
    std::stable_sort(tiles, keys, [](const Tile &l, const Tile &r) { return l.first > r.first; });
    std::stable_sort(keys, keys + *count, [](const Tile &l, const Tile &r) { return l.length - l.first > r.length - r.first; });
    return PLORA_OK;
}

int plora_attention(
    const plora_heads *heads, const plora_attention_tile *tiles, int32_t count, const void *qkv, void *y, float *log_sum,
    void *stream) {
    PLORA_TRY(check(*heads));
    auto run = heads->head_size == 32 ? forward<32> : heads->head_size == 64 ? forward<64> : heads->head_size == 96 ? forward<96> : forward<128>;
    return run(*heads, tiles, count, (const bf16 *)qkv, (bf16 *)y, log_sum, stream);
}

int64_t plora_attention_workspace(const plora_heads *heads, int32_t count, int32_t rows) {
    int pieces = pieces_of(*heads, count);
    int64_t partials = (int64_t)count * heads->kv_heads * pieces * 2 * TILE * heads->head_size * (int64_t)sizeof(float);
    return products_bytes(*heads, rows) + (pieces > 1 ? partials : 0);
}

int plora_attention_backward(
    const plora_heads *heads, const plora_attention_tile *tiles, int32_t count, int32_t rows, const void *qkv, const void *y,
    const float *log_sum, const void *dy, void *d_qkv, void *workspace, void *stream) {
    PLORA_TRY(check(*heads));
    float *products = (float *)workspace, *partials = (float *)((char *)workspace + products_bytes(*heads, rows));
    int pieces = pieces_of(*heads, count);
    if (pieces > 1) {
        products = nullptr;  // a launch takes longer to wait for
    } else {
        PLORA_TRY(launch(output_products_kernel, rows, THREADS, 0, stream, (const bf16 *)y, (const bf16 *)dy, products, heads->heads,
                         heads->head_size));
    }
    auto run = heads->head_size == 32 ? backward<32> : heads->head_size == 64 ? backward<64> : heads->head_size == 96 ? backward<96> : backward<128>;
    return run({*heads, tiles, count, pieces, (const bf16 *)qkv, log_sum, (const bf16 *)y, (const bf16 *)dy, products, (bf16 *)d_qkv,
                partials}, stream);
}
