// Embedding, RMSNorm, SwiGLU, rotary embedding: bound by memory, 16 bytes a thread and access.
//
// Arithmetic is f32 and results are rounded once. Sums over a row are taken in a fixed order: by thread, by warp, by block.
#include <algorithm>

#include "device.cuh"

namespace plora {
namespace {

constexpr int THREADS = 256;
constexpr int ROW_THREADS = 128;   // of a kernel with one block a row
constexpr int WIDE_THREADS = 512;  // of one with a sum, where rows are too few to hide that a thread waits for itself
constexpr int FEW_ROWS = 256;

__device__ inline void load(float (&f)[8], const bf16 *p) { unpack(*(const uint4 *)p, f); }

// Sum over a block, in every thread.
template <int THREAD_COUNT>
__device__ float row_sum(float value) { return block_sum<THREAD_COUNT>(value, (float *)shared_memory()); }

constexpr int row_sum_shared(int threads) { return threads / 32 * (int)sizeof(float); }

// The output function of SplitMix64 (Steele, Lea and Flood 2014), whose i-th state is seed + i times a constant.
__device__ inline uint64_t split_mix(uint64_t state) {
    state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ull;
    state = (state ^ (state >> 27)) * 0x94d049bb133111ebull;
    return state ^ (state >> 31);
}

__global__ void __launch_bounds__(THREADS) uniform_kernel(float *to, int64_t size, uint64_t seed, double bound) {
    wait_for_previous();
    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < size; i += (int64_t)gridDim.x * THREADS) {
        uint64_t bits = split_mix(seed + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15ull);
        to[i] = (float)((2 * ((double)(bits >> 11) * 0x1p-53) - 1) * bound);
    }
}

// One block a row.
__global__ void __launch_bounds__(ROW_THREADS) embed_kernel(const bf16 *table, const int32_t *tokens, bf16 *y, int hidden) {
    wait_for_previous();
    const uint4 *from = (const uint4 *)(table + (int64_t)tokens[blockIdx.x] * hidden);
    uint4 *to = (uint4 *)(y + (int64_t)blockIdx.x * hidden);
    for (int i = threadIdx.x; i < hidden / CHUNK; i += ROW_THREADS) to[i] = from[i];
}

template <int ROW>
__global__ void __launch_bounds__(ROW)
    rms_norm_kernel(const bf16 *x, const bf16 *weight, float epsilon, bf16 *y, float *inverse_rms, int hidden) {
    int64_t row = (int64_t)blockIdx.x * hidden;
    int mine = threadIdx.x * CHUNK;
    float squares = 0.0f, first[8], f[8], w[8];
    if (mine < hidden) load(w, weight + mine);  // weights are there
    wait_for_previous();
    for (int i = mine; i < hidden; i += ROW * CHUNK) {
        load(f, x + row + i);
#pragma unroll
        for (int e = 0; e < 8; e++) {
            squares += f[e] * f[e];
            if (i == mine) first[e] = f[e];
        }
    }
    float inverse = 1.0f / sqrtf(row_sum<ROW>(squares) / hidden + epsilon);
    if (threadIdx.x == 0) inverse_rms[blockIdx.x] = inverse;
    for (int i = mine; i < hidden; i += ROW * CHUNK) {
        if (i > mine) {
            load(first, x + row + i);
            load(w, weight + i);
        }
#pragma unroll
        for (int e = 0; e < 8; e++) first[e] *= w[e] * inverse;
        *(uint4 *)(y + row + i) = pack(first);
    }
}

// With n = x / rms and g = weight dy: dx += (g - n mean(g n)) / rms.
template <int ROW>
__global__ void __launch_bounds__(ROW) rms_norm_backward_kernel(
    const bf16 *x, const bf16 *weight, const float *inverse_rms, const bf16 *dy, bf16 *dx, int hidden) {
    int64_t row = (int64_t)blockIdx.x * hidden;
    int mine = threadIdx.x * CHUNK;
    if (mine < hidden) prefetch(x + row + mine), prefetch(dx + row + mine), prefetch(weight + mine);
    wait_for_previous();
    float inverse = inverse_rms[blockIdx.x];
    float sum = 0.0f, f[8], w[8], d[8], g[8];
    for (int i = mine; i < hidden; i += ROW * CHUNK) {
        load(f, x + row + i);
        load(w, weight + i);
        load(d, dy + row + i);
#pragma unroll
        for (int e = 0; e < 8; e++) sum += w[e] * d[e] * f[e];
    }
    float mean = row_sum<ROW>(sum) * inverse / hidden;
    for (int i = mine; i < hidden; i += ROW * CHUNK) {
        load(f, x + row + i);
        load(w, weight + i);
        load(d, dy + row + i);
        load(g, dx + row + i);
#pragma unroll
        for (int e = 0; e < 8; e++) g[e] += inverse * (w[e] * d[e] - f[e] * inverse * mean);
        *(uint4 *)(dx + row + i) = pack(g);
    }
}

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// One thread a chunk of y.
__global__ void __launch_bounds__(THREADS) swiglu_kernel(const bf16 *gate_up, bf16 *y, int64_t chunks, int features) {
    wait_for_previous();
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= chunks) return;
    int in_row = features / CHUNK;
    const bf16 *from = gate_up + i / in_row * 2 * features + i % in_row * CHUNK;
    float gate[8], up[8];
    load(gate, from);
    load(up, from + features);
#pragma unroll
    for (int e = 0; e < 8; e++) gate[e] *= sigmoid(gate[e]) * up[e];
    *(uint4 *)(y + i * CHUNK) = pack(gate);
}

__global__ void __launch_bounds__(THREADS)
    swiglu_backward_kernel(const bf16 *gate_up, const bf16 *dy, bf16 *d_gate_up, int64_t chunks, int features) {
    int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    int in_row = features / CHUNK;
    int64_t at = i / in_row * 2 * features + i % in_row * CHUNK;
    if (i < chunks && threadIdx.x % 8 == 0) prefetch(gate_up + at), prefetch(gate_up + at + features);  // a line each
    wait_for_previous();
    if (i >= chunks) return;
    float gate[8], up[8], d[8];
    load(gate, gate_up + at);
    load(up, gate_up + at + features);
    load(d, dy + i * CHUNK);
#pragma unroll
    for (int e = 0; e < 8; e++) {
        float s = sigmoid(gate[e]);
        float d_gate = d[e] * up[e] * s * (1.0f + gate[e] * (1.0f - s));
        up[e] = d[e] * gate[e] * s;
        gate[e] = d_gate;
    }
    *(uint4 *)(d_gate_up + at) = pack(gate);
    *(uint4 *)(d_gate_up + at + features) = pack(up);
}

// One block a row, one thread eight pairs at a time, at the same place of each head that it takes.
__global__ void __launch_bounds__(THREADS)
    rotary_kernel(plora_heads heads, const float *table, const int32_t *positions, bf16 *qkv, float direction) {
    int size = heads.head_size, half = size / 2, in_head = half / CHUNK;
    int offset = (int)threadIdx.x % in_head * CHUNK, head = (int)threadIdx.x / in_head, at_once = THREADS / in_head;
    bf16 *row = qkv + (int64_t)blockIdx.x * (heads.heads + 2 * heads.kv_heads) * size;
    float cosines[8], sines[8];  // known before the kernels that make qkv have ended
    const float *angles = table + (int64_t)positions[blockIdx.x] * size + offset;
#pragma unroll
    for (int e = 0; e < 8; e++) cosines[e] = angles[e], sines[e] = angles[half + e] * direction;
    wait_for_previous();
    for (; head < heads.heads + heads.kv_heads && (int)threadIdx.x < at_once * in_head; head += at_once) {
        bf16 *first = row + head * size + offset;
        float x[8], y[8];
        load(x, first);
        load(y, first + half);
#pragma unroll
        for (int e = 0; e < 8; e++) {
            float rotated = x[e] * cosines[e] - y[e] * sines[e];
            y[e] = y[e] * cosines[e] + x[e] * sines[e];
            x[e] = rotated;
        }
        *(uint4 *)first = pack(x);
        *(uint4 *)(first + half) = pack(y);
    }
}

int row_threads(int rows) { return rows <= FEW_ROWS ? WIDE_THREADS : ROW_THREADS; }

int blocks_for(int64_t items) { return (int)divide_up<int64_t>(items, THREADS); }

}  // namespace
}  // namespace plora

using namespace plora;

int plora_uniform(float *to, int64_t size, int64_t seed, double bound, void *stream) {
    if (size == 0) return PLORA_OK;
    int blocks = (int)std::min<int64_t>(divide_up<int64_t>(size, THREADS), 4096);
    return launch(uniform_kernel, blocks, THREADS, 0, stream, to, size, (uint64_t)seed, bound);
}

int plora_embed(const void *table, const int32_t *tokens, void *y, int32_t rows, int32_t hidden, void *stream) {
    PLORA_REQUIRE(hidden % CHUNK == 0, "hidden (%d) must be a multiple of 8.", hidden);
    return launch(embed_kernel, rows, ROW_THREADS, 0, stream, (const bf16 *)table, tokens, (bf16 *)y, hidden);
}

int plora_rms_norm(
    const void *x, const void *weight, float epsilon, void *y, float *inverse_rms, int32_t rows, int32_t hidden, void *stream) {
    PLORA_REQUIRE(hidden % CHUNK == 0, "hidden (%d) must be a multiple of 8.", hidden);
    int threads = row_threads(rows);
    auto kernel = threads == WIDE_THREADS ? rms_norm_kernel<WIDE_THREADS> : rms_norm_kernel<ROW_THREADS>;
    return launch(kernel, rows, threads, row_sum_shared(threads), stream, (const bf16 *)x, (const bf16 *)weight, epsilon, (bf16 *)y,
                  inverse_rms, hidden);
}

int plora_rms_norm_backward(
    const void *x, const void *weight, const float *inverse_rms, const void *dy, void *dx, int32_t rows, int32_t hidden,
    void *stream) {
    PLORA_REQUIRE(hidden % CHUNK == 0, "hidden (%d) must be a multiple of 8.", hidden);
    int threads = row_threads(rows);
    auto kernel = threads == WIDE_THREADS ? rms_norm_backward_kernel<WIDE_THREADS> : rms_norm_backward_kernel<ROW_THREADS>;
    return launch(kernel, rows, threads, row_sum_shared(threads), stream, (const bf16 *)x, (const bf16 *)weight, inverse_rms,
                  (const bf16 *)dy, (bf16 *)dx, hidden);
}

int plora_swiglu(const void *gate_up, void *y, int32_t rows, int32_t features, void *stream) {
    PLORA_REQUIRE(features % CHUNK == 0, "features (%d) must be a multiple of 8.", features);
    int64_t chunks = (int64_t)rows * features / CHUNK;
    return launch(swiglu_kernel, blocks_for(chunks), THREADS, 0, stream, (const bf16 *)gate_up, (bf16 *)y, chunks, features);
}

int plora_swiglu_backward(
    const void *gate_up, const void *dy, void *d_gate_up, int32_t rows, int32_t features, void *stream) {
    PLORA_REQUIRE(features % CHUNK == 0, "features (%d) must be a multiple of 8.", features);
    int64_t chunks = (int64_t)rows * features / CHUNK;
    return launch(swiglu_backward_kernel, blocks_for(chunks), THREADS, 0, stream, (const bf16 *)gate_up, (const bf16 *)dy,
                  (bf16 *)d_gate_up, chunks, features);
}

int plora_rotary(
    const plora_heads *heads, const float *table, const int32_t *positions, void *qkv, int32_t rows, int32_t inverse,
    void *stream) {
    PLORA_REQUIRE(heads->head_size % 16 == 0, "head_size (%d) must be a multiple of 16.", heads->head_size);
    return launch(rotary_kernel, rows, THREADS, 0, stream, *heads, table, positions, (bf16 *)qkv, inverse ? -1.0f : 1.0f);
}
