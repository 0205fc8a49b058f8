// What the tests of all operations share: device memory with guards, random values, comparison with double precision.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "plora.h"

using bf16 = __nv_bfloat16;

#define REQUIRE(condition, ...)                                        \
    do {                                                               \
        if (!(condition)) {                                            \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                              \
            fprintf(stderr, "\n");                                     \
            exit(1);                                                   \
        }                                                              \
    } while (0)

#define CHECK_CUDA(call)                                                       \
    do {                                                                       \
        cudaError_t error_ = (call);                                           \
        REQUIRE(error_ == cudaSuccess, "%s", cudaGetErrorString(error_));      \
    } while (0)

#define CHECK_PLORA(call) REQUIRE((call) == PLORA_OK, "%s", plora_message())

// Device memory, or host memory where kernels are emulated.
#ifdef PLORA_EMULATE
inline void *device_allocate(size_t bytes) { return aligned_alloc(256, (bytes + 255) / 256 * 256); }
inline void device_free(void *p) { free(p); }
inline void device_copy(void *to, const void *from, size_t bytes) { memcpy(to, from, bytes); }
inline void device_fill(void *to, int value, size_t bytes) { memset(to, value, bytes); }
inline void device_wait() {}
#else
inline void *device_allocate(size_t bytes) {
    void *p;
    CHECK_CUDA(cudaMalloc(&p, bytes));
    return p;
}
inline void device_free(void *p) { cudaFree(p); }
inline void device_copy(void *to, const void *from, size_t bytes) { CHECK_CUDA(cudaMemcpy(to, from, bytes, cudaMemcpyDefault)); }
inline void device_fill(void *to, int value, size_t bytes) { CHECK_CUDA(cudaMemset(to, value, bytes)); }
inline void device_wait() { CHECK_CUDA(cudaDeviceSynchronize()); }
#endif

// An array on the device between two guards that nobody may write.
template <typename T>
class Array {
    static constexpr size_t GUARD = 256;
    char *memory;
    size_t bytes;

   public:
    explicit Array(size_t size) : memory((char *)device_allocate(size * sizeof(T) + 2 * GUARD)), bytes(size * sizeof(T)) {
        device_fill(memory, 0xff, bytes + 2 * GUARD);
    }
    explicit Array(const std::vector<T> &values) : Array(values.size()) { write(values); }
    Array(const Array &) = delete;
    Array &operator=(const Array &) = delete;
    ~Array() { device_free(memory); }

    T *data() const { return (T *)(memory + GUARD); }
    size_t size() const { return bytes / sizeof(T); }
    void write(const std::vector<T> &values) {
        REQUIRE(values.size() == size(), "%zu values for %zu", values.size(), size());
        device_copy(data(), values.data(), bytes);
    }
    // Every element NaN, or -1.
    void poison() { device_fill(data(), 0xff, bytes); }

    std::vector<T> read() const {
        std::vector<unsigned char> all(bytes + 2 * GUARD);
        device_wait();
        device_copy(all.data(), memory, all.size());
        for (size_t i = 0; i < GUARD; i++) {
            REQUIRE(all[i] == 0xff && all[GUARD + bytes + i] == 0xff, "Memory beside an array of %zu was written.", size());
        }
        std::vector<T> values(size());
        if (bytes > 0) memcpy(values.data(), all.data() + GUARD, bytes);
        return values;
    }
};

class Random {
    std::mt19937_64 engine;
    std::normal_distribution<float> normals;

   public:
    explicit Random(uint64_t seed) : engine(seed) {}
    uint64_t bits() { return engine(); }
    int within(int least, int most) { return least + (int)(engine() % (uint64_t)(most - least + 1)); }
    bool chance(double p) { return (double)(engine() >> 11) * 0x1p-53 < p; }
    template <typename T>
    T one_of(std::initializer_list<T> values) {
        return values.begin()[engine() % values.size()];
    }
    std::vector<bf16> bf16s(size_t n, float scale) {
        std::vector<bf16> values(n);
        for (bf16 &v : values) v = __float2bfloat16(normals(engine) * scale);
        return values;
    }
    std::vector<float> floats(size_t n, float scale) {
        std::vector<float> values(n);
        for (float &v : values) v = normals(engine) * scale;
        return values;
    }
};

inline double number(bf16 v) { return (double)__bfloat162float(v); }
inline double number(float v) { return (double)v; }

// Expected values, each with the sum of squares of what was added up, with whose root the rounding of its terms scales, and with
// the sum of what was rounded to bf16 on the way.
struct Expected {
    std::vector<double> value, squares, rounded;
    explicit Expected(size_t n) : value(n), squares(n), rounded(n) {}
    void add(size_t i, double term) {
        value[i] += term;
        squares[i] += term * term;
    }
    // Something that is rounded as a term is, without being one.
    void doubt(size_t i, double amount) { squares[i] += amount * amount; }
    // A sum that was rounded to bf16 before more was added.
    void round(size_t i, double sum) { rounded[i] += fabs(sum); }
    // A value that is there before; contributes no rounding of terms.
    void start(size_t i, double v) { value[i] = v; }
};

// What is left where f32 sums of values around 1 cancel.
constexpr double CANCELLED = 1e-6;

// Every element within relative (|expected| + rounded) + terms sqrt(sum of squared terms); NaN never passes.
template <typename T>
void compare(const char *what, const std::vector<T> &got, const Expected &expected, double relative, double terms) {
    REQUIRE(got.size() == expected.value.size(), "%s: %zu values for %zu", what, got.size(), expected.value.size());
    for (size_t i = 0; i < got.size(); i++) {
        double error = fabs(number(got[i]) - expected.value[i]);
        double allowed = relative * (fabs(expected.value[i]) + expected.rounded[i]) + terms * sqrt(expected.squares[i]) + CANCELLED;
        REQUIRE(error <= allowed, "%s[%zu]: got %.9g, expected %.9g, error %.3g, allowed %.3g", what, i, number(got[i]),
                expected.value[i], error, allowed);
    }
}

template <typename T>
bool same_bits(const std::vector<T> &l, const std::vector<T> &r) {
    return l.size() == r.size() && (l.empty() || memcmp(l.data(), r.data(), l.size() * sizeof(T)) == 0);
}

// Half a unit in the last place of bf16; f32 sums of a few thousand terms; terms that were rounded to bf16: 0.0016 is the
// standard deviation of one such rounding, so this is seven of them.
constexpr double BF16 = 0x1p-8, F32 = 1e-5, TERMS = 0.0117;

// One test: `shapes` random shapes from a seed.
using Test = void (*)(Random &random, int shapes);

void test_frozen_plan(Random &random, int shapes);
void test_frozen(Random &random, int shapes);
void test_dropout(Random &random, int shapes);
void test_lora_plan(Random &random, int shapes);
void test_lora_plan_beside(Random &random, int shapes);
void test_lora(Random &random, int shapes);
void test_lora_few(Random &random, int shapes);
void test_lora_nan(Random &random, int shapes);
void test_lora_linear(Random &random, int shapes);
void test_lora_linear_turns(Random &random, int shapes);
void test_lora_linear_nan(Random &random, int shapes);
void test_pointwise(Random &random, int shapes);
void test_attention(Random &random, int shapes);
void test_optimizer(Random &random, int shapes);
void test_cross_entropy(Random &random, int shapes);
