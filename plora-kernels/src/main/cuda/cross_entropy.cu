// Output layer and cross-entropy over chunks of rows.
//
// Rows with a target are gathered, so that no product is spent on the others. A chunk's logits are f32 (bf16 would cost the
// loss three digits); softmax takes maximum and sum in one pass, and a second pass leaves the gradient as bf16 in the first
// half of the logits' rows, where cuBLAS reads it. Rows never mix, so NaN in one stays there.
#include <math.h>

#include "blas.h"
#include "device.cuh"

namespace plora {
namespace {

constexpr int THREADS = 512;
constexpr int WARPS = THREADS / 32;
constexpr int VECTOR = 4;  // f32 in 16 bytes

// Whether a block's row is that of the block before it: then it has only made a product larger, and nothing comes of it.
__device__ bool comes_again(const int32_t *rows) { return blockIdx.x > 0 && rows[blockIdx.x] == rows[blockIdx.x - 1]; }

// to[i] = from[rows[i]], or to[rows[i]] = from[i].
template <bool SCATTER>
__global__ void __launch_bounds__(128) move_rows_kernel(const bf16 *from, const int32_t *rows, bf16 *to, int hidden) {
    wait_for_previous();
    if (SCATTER && comes_again(rows)) return;
    int64_t here = (int64_t)blockIdx.x * hidden, there = (int64_t)rows[blockIdx.x] * hidden;
    const uint4 *source = (const uint4 *)(from + (SCATTER ? here : there));
    uint4 *target = (uint4 *)(to + (SCATTER ? there : here));
    for (int i = threadIdx.x; i < hidden / CHUNK; i += 128) target[i] = source[i];
}

// A maximum and the sum of exponentials relative to it.
struct Softmax {
    float max, sum;

    __device__ void add(float m, float s) {
        float larger = fmaxf(max, m);
        if (larger == -INFINITY) return;
        sum = sum * expf(max - larger) + s * expf(m - larger);
        max = larger;
    }
};

__device__ Softmax softmax_of_row(const float *row, int vocabulary, float *warps) {
    Softmax mine = {-INFINITY, 0.0f};
    for (int i = threadIdx.x * VECTOR; i < vocabulary; i += THREADS * VECTOR) {
        float4 v = *(const float4 *)(row + i);
        float larger = fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w));
        mine.add(larger, expf(v.x - larger) + expf(v.y - larger) + expf(v.z - larger) + expf(v.w - larger));
    }
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2) {
        float max = shuffle_xor(mine.max, mask), sum = shuffle_xor(mine.sum, mask);
        mine.add(max, sum);
    }
    if (threadIdx.x % 32 == 0) {
        warps[threadIdx.x / 32] = mine.max;
        warps[WARPS + threadIdx.x / 32] = mine.sum;
    }
    __syncthreads();
    Softmax all = {-INFINITY, 0.0f};
    for (int warp = 0; warp < WARPS; warp++) all.add(warps[warp], warps[WARPS + warp]);
    return all;
}

// One block a row.
__global__ void __launch_bounds__(THREADS) softmax_loss_kernel(
    float *logits, const int32_t *target_rows, const int32_t *targets, const float *loss_weights, int vocabulary,
    int gradients, float *losses) {
    wait_for_previous();
    if (comes_again(target_rows)) return;
    float *row = logits + (int64_t)blockIdx.x * vocabulary;
    int token_row = target_rows[blockIdx.x];
    int target = targets[token_row];
    float target_logit = row[target];
    Softmax all = softmax_of_row(row, vocabulary, (float *)shared_memory());
    float log_sum = all.max + logf(all.sum);
    if (threadIdx.x == 0) losses[token_row] = log_sum - target_logit;
    if (!gradients) return;
    float weight = loss_weights[token_row];
    for (int first = 0; first < vocabulary; first += THREADS * VECTOR) {
        int i = first + threadIdx.x * VECTOR;
        float4 v = i < vocabulary ? *(const float4 *)(row + i) : float4{0.0f, 0.0f, 0.0f, 0.0f};
        float d[VECTOR] = {v.x, v.y, v.z, v.w};
#pragma unroll
        for (int e = 0; e < VECTOR; e++) d[e] = weight * (expf(d[e] - log_sum) - (i + e == target ? 1.0f : 0.0f));
        __syncthreads();  // all have read what this step overwrites
        if (i < vocabulary) *(uint2 *)((bf16 *)row + i) = {pack(d[0], d[1]), pack(d[2], d[3])};
    }
}

}  // namespace
}  // namespace plora

using namespace plora;

int plora_softmax_loss(
    float *logits, const int32_t *target_rows, int32_t count, const int32_t *targets, const float *loss_weights,
    int32_t vocabulary, int32_t gradients, float *losses, void *stream) {
    PLORA_REQUIRE(vocabulary % 8 == 0, "vocabulary (%d) must be a multiple of 8.", vocabulary);
    return launch(softmax_loss_kernel, count, THREADS, 2 * WARPS * (int)sizeof(float), stream, logits, target_rows, targets,
                  loss_weights, vocabulary, gradients, losses);
}

#ifndef PLORA_EMULATE  // the rest needs cuBLAS

int64_t plora_cross_entropy_workspace(int32_t chunk_rows, int32_t hidden, int32_t vocabulary) {
    return (int64_t)chunk_rows * (vocabulary * (int64_t)sizeof(float) + 2 * hidden * (int64_t)sizeof(bf16));
}

int plora_cross_entropy(
    plora_blas *blas, const void *x, const void *weight, const int32_t *target_rows, int32_t target_count,
    const int32_t *targets, const float *loss_weights, int32_t rows, int32_t hidden, int32_t vocabulary, int32_t chunk_rows,
    float *losses, void *dx, void *workspace, void *stream) {
    PLORA_REQUIRE(hidden % 8 == 0 && chunk_rows > 0, "hidden (%d) must be a multiple of 8 and chunk_rows (%d) positive.", hidden,
                  chunk_rows);
    float *logits = (float *)workspace;
    bf16 *gathered = (bf16 *)(logits + (int64_t)chunk_rows * vocabulary);
    bf16 *gradient = gathered + (int64_t)chunk_rows * hidden;
    PLORA_TRY(plora_zero(losses, rows * (int64_t)sizeof(float), stream));
    if (dx != nullptr) PLORA_TRY(plora_zero(dx, (int64_t)rows * hidden * (int64_t)sizeof(bf16), stream));
    for (int first = 0; first < target_count; first += chunk_rows) {
        int count = target_count - first < chunk_rows ? target_count - first : chunk_rows;
        const int32_t *chunk = target_rows + first;
        PLORA_TRY(launch(move_rows_kernel<false>, count, 128, 0, stream, (const bf16 *)x, chunk, gathered, hidden));
        PLORA_TRY(plora_logits(blas, gathered, weight, logits, count, hidden, vocabulary, stream));
        PLORA_TRY(plora_softmax_loss(logits, chunk, count, targets, loss_weights, vocabulary, dx != nullptr, losses, stream));
        if (dx != nullptr) {
            PLORA_TRY(logits_backward(blas, logits, 2 * vocabulary, weight, gradient, count, hidden, vocabulary, stream));
            PLORA_TRY(launch(move_rows_kernel<true>, count, 128, 0, stream, gradient, chunk, (bf16 *)dx, hidden));
        }
    }
    return PLORA_OK;
}

#endif
