// Packed AdamW and gradient descent: all matrices of all adapters, each adapter clipped by its own gradient norm.
//
// Three launches: sums of squares by span, norms by adapter (in double precision, in a fixed order), the update. The update reads
// parameters, gradients and moments once and writes all but the gradients, with the bf16 copies: 34 bytes a parameter, with the
// norm's pass.
// AdamW as PyTorch defines it (Loshchilov and Hutter 2019), beta 0.9 and 0.999, epsilon 1e-8.
#include <math.h>

#include "device.cuh"

namespace plora {
namespace {

constexpr int THREADS = 256;
constexpr int SPAN = 8192;  // elements
constexpr int VECTOR = 4;
constexpr float BETA1 = 0.9f, BETA2 = 0.999f, EPSILON = 1e-8f;
constexpr float REST1 = 0.1f, REST2 = 0.001f;  // 1 - beta; the difference of rounded values would be wrong by 1e-5
constexpr int SUM_SHARED = THREADS / 32 * (int)sizeof(float);

__global__ void __launch_bounds__(THREADS)
    squares_kernel(const plora_matrix *matrices, const plora_span *spans, const plora_step *steps, double *squares) {
    wait_for_previous();
    const plora_span span = spans[blockIdx.x];
    const plora_matrix &matrix = matrices[span.matrix];
    if (!steps[matrix.adapter].active) return;
    const float4 *gradients = (const float4 *)(matrix.gradients + span.first);
    float sum = 0.0f;
    for (int i = threadIdx.x; i < span.count / VECTOR; i += THREADS) {
        float4 g = gradients[i];
        sum += g.x * g.x + g.y * g.y + g.z * g.z + g.w * g.w;
    }
    sum = block_sum<THREADS>(sum, (float *)shared_memory());
    if (threadIdx.x == 0) squares[blockIdx.x] = (double)sum;
}

// One block an adapter. scales: what its gradients are multiplied by, NaN where the norm is not finite.
__global__ void __launch_bounds__(THREADS) norms_kernel(
    const double *squares, const int32_t *adapter_spans, const plora_step *steps, double *norms, double *scales) {
    wait_for_previous();
    const plora_step step = steps[blockIdx.x];
    double *sums = (double *)shared_memory();
    double sum = 0.0;
    if (step.active) {
        for (int i = adapter_spans[blockIdx.x] + threadIdx.x; i < adapter_spans[blockIdx.x + 1]; i += THREADS) sum += squares[i];
    }
    sums[threadIdx.x] = sum;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x != 0) return;
    double total = sums[0];
    double norm = sqrt(total);
    double scale = step.max_norm == 0.0f ? 1.0 : fmin(1.0, (double)step.max_norm / (norm + 1e-6));
    norms[blockIdx.x] = norm;
    scales[blockIdx.x] = norm < INFINITY ? scale : NAN;
}

struct Update {
    plora_step step;
    float learning_rate;
    float scale;

    __device__ float operator()(float parameter, float gradient, float &first, float &second) const {
        gradient *= scale;
        if (step.rule != 0) return parameter - learning_rate * (gradient + step.weight_decay * parameter);
        first = BETA1 * first + REST1 * gradient;
        second = BETA2 * second + REST2 * gradient * gradient;
        float direction = first / step.first_correction / (sqrtf(second / step.second_correction) + EPSILON);
        return parameter * (1.0f - learning_rate * step.weight_decay) - learning_rate * direction;
    }
};

__device__ void copy_four(const plora_matrix &matrix, int64_t first, const float4 &p) {
    bf16 *copy = (bf16 *)matrix.copy;
    if (matrix.copy_stride == matrix.columns) {
        *(uint2 *)(copy + first) = {pack(p.x, p.y), pack(p.z, p.w)};
        return;
    }
    const float values[VECTOR] = {p.x, p.y, p.z, p.w};
#pragma unroll
    for (int e = 0; e < VECTOR; e++) {
        int64_t row = (first + e) / matrix.columns, column = (first + e) % matrix.columns;
        copy[row * matrix.copy_stride + column] = __float2bfloat16(values[e]);
    }
}

__global__ void __launch_bounds__(THREADS) copy_kernel(const plora_matrix *matrices, const plora_span *spans) {
    wait_for_previous();
    const plora_span span = spans[blockIdx.x];
    const plora_matrix matrix = matrices[span.matrix];
    for (int i = threadIdx.x * VECTOR; i < span.count; i += THREADS * VECTOR) {
        copy_four(matrix, span.first + i, *(const float4 *)(matrix.parameters + span.first + i));
    }
}

__global__ void __launch_bounds__(THREADS) update_kernel(
    const plora_matrix *matrices, const plora_span *spans, const plora_step *steps, const double *scales) {
    wait_for_previous();
    const plora_span span = spans[blockIdx.x];
    const plora_matrix matrix = matrices[span.matrix];
    const plora_step step = steps[matrix.adapter];
    if (!step.active) return;
    Update update = {step, matrix.is_b ? step.learning_rate_b : step.learning_rate_a, (float)scales[matrix.adapter]};
    if (update.scale != update.scale) return;  // NaN
    for (int i = threadIdx.x * VECTOR; i < span.count; i += THREADS * VECTOR) {
        int64_t at = span.first + i;
        float4 *parameters = (float4 *)(matrix.parameters + at), *first = (float4 *)(matrix.first_moment + at),
               *second = (float4 *)(matrix.second_moment + at);
        float4 p = *parameters, g = *(const float4 *)(matrix.gradients + at), m = *first, v = *second;
        p = {update(p.x, g.x, m.x, v.x), update(p.y, g.y, m.y, v.y), update(p.z, g.z, m.z, v.z), update(p.w, g.w, m.w, v.w)};
        *parameters = p;
        *first = m;
        *second = v;
        copy_four(matrix, at, p);
    }
}

}  // namespace
}  // namespace plora

using namespace plora;

int plora_optimizer_plan(
    const plora_matrix *matrices, int32_t count, int32_t adapters, plora_span *spans, int32_t capacity, int32_t *adapter_spans) {
    int32_t total = 0, adapter = 0;
    adapter_spans[0] = 0;
    for (int32_t i = 0; i < count; i++) {
        int64_t size = (int64_t)matrices[i].rows * matrices[i].columns;
        PLORA_REQUIRE(matrices[i].adapter >= adapter && matrices[i].adapter < adapters && size % 8 == 0,
                      "Matrix %d of adapter %d must be in order of adapters, below %d, and its size (%lld) a multiple of 8.", i,
                      matrices[i].adapter, adapters, (long long)size);
        while (adapter < matrices[i].adapter) adapter_spans[++adapter] = total;
        for (int64_t first = 0; first < size; first += SPAN, total++) {
            if (spans == nullptr) continue;
            PLORA_REQUIRE(total < capacity, "capacity (%d) must be at least the number of spans.", capacity);
            spans[total] = {first, i, (int32_t)(size - first < SPAN ? size - first : SPAN)};
        }
    }
    while (adapter < adapters) adapter_spans[++adapter] = total;
    return PLORA_OK;
}

int plora_copy_parameters(const plora_matrix *matrices, const plora_span *spans, int32_t span_count, void *stream) {
    return launch(copy_kernel, span_count, THREADS, 0, stream, matrices, spans);
}

int plora_gradient_norms(
    const plora_matrix *matrices, const plora_span *spans, int32_t span_count, const int32_t *adapter_spans, int32_t adapters,
    const plora_step *steps, double *norms, void *workspace, void *stream) {
    double *squares = (double *)workspace, *scales = squares + span_count;
    PLORA_TRY(launch(squares_kernel, span_count, THREADS, SUM_SHARED, stream, matrices, spans, steps, squares));
    return launch(norms_kernel, adapters, THREADS, THREADS * (int)sizeof(double), stream, squares, adapter_spans, steps, norms, scales);
}

int plora_optimize(
    const plora_matrix *matrices, const plora_span *spans, int32_t span_count, const plora_step *steps, const void *workspace,
    void *stream) {
    const double *scales = (const double *)workspace + span_count;
    return launch(update_kernel, span_count, THREADS, 0, stream, matrices, spans, steps, scales);
}
