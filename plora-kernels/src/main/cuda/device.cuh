// What kernels are written with: asynchronous copies, matrix fragments and products, launches.
//
// Matrix products are m16n8k16 on bf16 with f32 accumulators (mma.sync, sm_80 and newer). Tiles lie in shared memory in rows
// of 16-byte chunks, swizzled so that ldmatrix reads eight rows without bank conflicts. Built with PLORA_EMULATE the same
// kernels run on the host, one fiber a thread: see emulation.h.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>

#include <unordered_set>

#include "status.h"

#ifdef PLORA_EMULATE
#include "emulation.h"
#endif

namespace plora {

using bf16 = __nv_bfloat16;

constexpr int CHUNK = 8;  // bf16 elements in 16 bytes

template <typename T>
__host__ __device__ constexpr T divide_up(T a, T b) {
    return (a + b - 1) / b;
}

// ---- primitives ----

#ifndef PLORA_EMULATE

__device__ inline char *shared_memory() {
    extern __shared__ __align__(1024) char dynamic[];
    return dynamic;
}

__device__ inline uint32_t shared_address(const void *p) { return (uint32_t)__cvta_generic_to_shared(p); }

// Copies the first `bytes` (0..16) of 16 and fills the rest with zeros; without bytes the address is not used.
__device__ inline void copy_async(void *shared, const void *global, int bytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(bytes));
}

// Copies one word, or zeros it without using the address.
__device__ inline void copy_word_async(void *shared, const void *global, bool valid) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(valid ? 4 : 0));
}

__device__ inline void copy_commit() { asm volatile("cp.async.commit_group;"); }

// Waits until at most `pending` of this thread's groups are under way.
template <int pending>
__device__ inline void copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

__device__ inline void load_matrix4(uint32_t (&r)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

__device__ inline void load_matrix4_transposed(uint32_t (&r)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// d += a b
__device__ inline void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline float shuffle_xor(float value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

// Lets the next kernel of the stream start while this one drains, and waits for the one before. Every kernel calls it
// before it touches memory that another kernel writes; plans and tables of pointers may be read earlier.
__device__ inline void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// The same in the other order: once the next kernel of the stream runs, those before this one have ended, so that it may read
// what this one was given before it waits itself.
__device__ inline void wait_for_previous_first() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// Fetches a line to the L2 cache. What is written there meanwhile is seen all the same, so it may be done before waiting.
__device__ inline void prefetch(const void *global) { asm volatile("prefetch.global.L2 [%0];" ::"l"(global)); }

// Lets the next kernel of the stream start, and waits for nothing.
__device__ inline void launch_dependents() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// Adds two neighbours, aligned to eight bytes, without waiting for what is there.
__device__ inline void add_pair(float *to, float low, float high) {
#if __CUDA_ARCH__ >= 900
    asm volatile("red.global.add.v2.f32 [%0], {%1, %2};" ::"l"(to), "f"(low), "f"(high) : "memory");
#else
    float2 old = *(float2 *)to;
    *(float2 *)to = {old.x + low, old.y + high};
#endif
}

__device__ inline uint32_t shuffle_xor(uint32_t value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

#endif

// ---- fragments ----

// Chunk of a tile with rows of `columns` elements in which (row, chunk) lies. Eight rows of one chunk hit all banks.
template <int columns>
__device__ inline int swizzle(int row, int chunk) {
    constexpr int chunks = columns / CHUNK;
    constexpr int rows_in_line = chunks >= 8 ? 1 : 8 / chunks;
    constexpr int mask = chunks >= 8 ? 7 : chunks - 1;
    return row * chunks + (chunk ^ ((row / rows_in_line) & mask));
}

template <int columns>
__device__ inline bf16 *chunk_at(void *tile, int row, int chunk) {
    return (bf16 *)tile + swizzle<columns>(row, chunk) * CHUNK;
}

// Calls action(chunk's place, row, chunk) for each chunk of a tile, by turns of all threads. Rows that a thread takes one after
// the other are swizzled alike, so their places are a constant apart.
template <int ROWS, int COLUMNS, int THREADS, typename Action>
__device__ inline void each_chunk(bf16 *tile, Action action) {
    constexpr int CHUNKS = COLUMNS / CHUNK, AT_ONCE = THREADS / CHUNKS;
    static_assert(AT_ONCE % 8 == 0, "rows a multiple of 8 apart");
    int row = (int)(threadIdx.x / CHUNKS), chunk = (int)(threadIdx.x % CHUNKS);
    bf16 *at = chunk_at<COLUMNS>(tile, row, chunk);
#pragma unroll
    for (int first = 0; first < ROWS; first += AT_ONCE) {
        if (ROWS % AT_ONCE == 0 || first + row < ROWS) action(at + first * COLUMNS, first + row, chunk);
    }
}

// Copies a tile from rows that are stride apart; bytes(row, chunk) is what of a chunk exists, the rest becomes zeros.
template <int ROWS, int COLUMNS, int THREADS, typename Bytes>
__device__ inline void copy_tile_async(bf16 *tile, const bf16 *from, int stride, Bytes bytes) {
    constexpr int CHUNKS = COLUMNS / CHUNK, AT_ONCE = THREADS / CHUNKS;
    from += (int)(threadIdx.x / CHUNKS) * stride + (int)(threadIdx.x % CHUNKS) * CHUNK;
    each_chunk<ROWS, COLUMNS, THREADS>(tile, [&](bf16 *at, int row, int chunk) {
        copy_async(at, from, bytes(row, chunk));
        from += AT_ONCE * stride;
    });
}

// Left operand, rows m .. m + 15 and columns k .. k + 15 of a tile (m, k).
template <int columns>
__device__ inline void load_left(uint32_t (&r)[4], void *tile, int m, int k) {
    int lane = threadIdx.x & 31;
    load_matrix4(r, chunk_at<columns>(tile, m + (lane & 15), k / CHUNK + (lane >> 4)));
}

// The same from a tile (k, m).
template <int columns>
__device__ inline void load_left_transposed(uint32_t (&r)[4], void *tile, int m, int k) {
    int lane = threadIdx.x & 31;
    load_matrix4_transposed(
        r, chunk_at<columns>(tile, k + (lane & 7) + ((lane >> 4) << 3), m / CHUNK + ((lane >> 3) & 1)));
}

// Right operands of columns n .. n + 7 (r[0], r[1]) and n + 8 .. n + 15 (r[2], r[3]), from a tile (n, k).
template <int columns>
__device__ inline void load_right(uint32_t (&r)[4], void *tile, int n, int k) {
    int lane = threadIdx.x & 31;
    load_matrix4(r, chunk_at<columns>(tile, n + (lane & 7) + ((lane >> 4) << 3), k / CHUNK + ((lane >> 3) & 1)));
}

// The same from a tile (k, n).
template <int columns>
__device__ inline void load_right_transposed(uint32_t (&r)[4], void *tile, int n, int k) {
    int lane = threadIdx.x & 31;
    load_matrix4_transposed(r, chunk_at<columns>(tile, k + (lane & 15), n / CHUNK + (lane >> 4)));
}

// Where accumulators lie: d[0], d[1] in row lane / 4, columns 2 (lane % 4) and the next; d[2], d[3] eight rows below.
__device__ inline int fragment_row() { return (threadIdx.x & 31) >> 2; }
__device__ inline int fragment_column() { return (threadIdx.x & 3) * 2; }

// ---- vectors of eight bf16 ----

__device__ inline void unpack(const uint4 &v, float (&f)[8]) {
    const uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        f[2 * i] = __uint_as_float(words[i] << 16);
        f[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
    }
}

__device__ inline uint32_t pack(float low, float high) {
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *(uint32_t *)&pair;
}

__device__ inline uint4 pack(const float (&f)[8]) {
    return {pack(f[0], f[1]), pack(f[2], f[3]), pack(f[4], f[5]), pack(f[6], f[7])};
}

// Exchanges 2 x 8 bf16 accumulators of four blocks of 8 columns between the four threads that share a row: thread t of them
// gets all eight columns of block t.
__device__ inline uint4 gather_block(const uint32_t (&pairs)[4]) {
    bool odd = threadIdx.x & 1, upper = threadIdx.x & 2;
    // after this round, pairs of blocks whose lowest bit is this thread's: [0], [1] of blocks b and b + 2 from the even thread
    uint32_t a = shuffle_xor(odd ? pairs[0] : pairs[1], 1), b = shuffle_xor(odd ? pairs[2] : pairs[3], 1);
    uint32_t low[2] = {odd ? a : pairs[0], odd ? pairs[1] : a};    // block odd, columns of the even and the odd thread
    uint32_t high[2] = {odd ? b : pairs[2], odd ? pairs[3] : b};   // block odd + 2
    uint32_t c = shuffle_xor(upper ? low[0] : high[0], 2), d = shuffle_xor(upper ? low[1] : high[1], 2);
    return upper ? uint4{c, d, high[0], high[1]} : uint4{low[0], low[1], c, d};
}

// ---- sums ----

__device__ inline float warp_sum(float value) {
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
    return value;
}

// Sum over a block in a fixed order, in every thread; `warps` is shared memory for one value a warp.
template <int threads>
__device__ inline float block_sum(float value, float *warps) {
    value = warp_sum(value);
    __syncthreads();
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
    __syncthreads();
    float sum = 0.0f;
#pragma unroll
    for (int warp = 0; warp < threads / 32; warp++) sum += warps[warp];
    return sum;
}

// ---- dropout: the same function as io.plora.kernels.Dropout ----

constexpr uint64_t GOLDEN = 0x9E3779B97F4A7C15ull;

__device__ inline uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// What columns 4 quad .. 4 quad + 3 contribute to the random bits of every row.
__device__ inline uint64_t column_key(int module, int quad) { return mix(((uint64_t)module << 32 | (uint32_t)quad) + GOLDEN); }

// 16 random bits for each of four columns, from the lowest up.
__device__ inline uint64_t drop_bits(uint64_t row_key, uint64_t column_key) { return mix(row_key ^ column_key); }

// Zeros the dropped ones of two packed elements, given their 32 random bits.
__device__ inline uint32_t drop(uint32_t pair, uint32_t bits, uint32_t threshold) {
    uint32_t low = (bits & 0xffff) < threshold ? 0u : 0x0000ffffu;
    uint32_t high = (bits >> 16) < threshold ? 0u : 0xffff0000u;
    return pair & (low | high);
}

// Zeros the dropped ones of eight elements, selecting, so that a dropped NaN is gone too.
__device__ inline uint4 drop(uint4 v, uint64_t row_key, uint64_t first_key, uint64_t second_key, uint32_t threshold) {
    uint64_t first = drop_bits(row_key, first_key);
    uint64_t second = drop_bits(row_key, second_key);
    return {drop(v.x, (uint32_t)first, threshold),
            drop(v.y, (uint32_t)(first >> 32), threshold),
            drop(v.z, (uint32_t)second, threshold),
            drop(v.w, (uint32_t)(second >> 32), threshold)};
}

// ---- launches ----

#define PLORA_CHECK(call)                                                                                        \
    do {                                                                                                         \
        cudaError_t error_ = (call);                                                                             \
        if (error_ != cudaSuccess)                                                                               \
            return plora::fail(PLORA_CUDA, "%s failed (%s) at %s:%d.", #call, cudaGetErrorString(error_), __FILE__, \
                               __LINE__);                                                                        \
    } while (0)

#ifndef PLORA_EMULATE

// Whether the next launch follows one kernel of its stream only: one that joins streams in a graph must wait for all.
inline int follows_one(cudaStream_t stream, bool &one) {
    cudaStreamCaptureStatus status;
    const cudaGraphNode_t *nodes;
    const cudaGraphEdgeData *edges;  // asked for, since the call fails rather than leave them out
    size_t dependencies = 0;
    PLORA_CHECK(cudaStreamGetCaptureInfo(stream, &status, nullptr, nullptr, &nodes, &edges, &dependencies));
    one = status != cudaStreamCaptureStatusActive || dependencies <= 1;
    return PLORA_OK;
}

// What this thread knows of its device, so that a launch need not ask.
struct Device {
    int number = -1;
    int major;        // of its compute capability
    int most_shared;  // bytes of shared memory that a block may have
    std::unordered_set<const void *> prepared;  // kernels
};

inline int current_device(Device *&device) {
    static thread_local Device known;
    int number;
    PLORA_CHECK(cudaGetDevice(&number));
    if (number != known.number) {
        known.prepared.clear();
        PLORA_CHECK(cudaDeviceGetAttribute(&known.major, cudaDevAttrComputeCapabilityMajor, number));
        PLORA_CHECK(cudaDeviceGetAttribute(&known.most_shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, number));
        known.number = number;
    }
    device = &known;
    return PLORA_OK;
}

// Allows a kernel all shared memory that the device has: the limit is the kernel's in all threads, of which none may lower it for
// another. A multiprocessor is divided into shared memory and L1 cache alike for all kernels, since it must be idle to be divided
// anew: kernels that ask for different divisions cannot overlap.
inline int prepare(Device &device, const void *kernel) {
    if (device.prepared.count(kernel) > 0) return PLORA_OK;
    cudaFuncAttributes attributes;
    PLORA_CHECK(cudaFuncGetAttributes(&attributes, kernel));
    int most = device.most_shared - (int)attributes.sharedSizeBytes;
    PLORA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most));
    if (device.major >= 9) {
        PLORA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared));
    }
    device.prepared.insert(kernel);
    return PLORA_OK;
}

// Launches unless there are no blocks, `cluster` of them in each cluster. On sm_90 and newer a kernel may start while the one
// before it drains.
template <typename... Parameters, typename... Arguments>
int launch_clusters(
    void (*kernel)(Parameters...), int blocks, int cluster, int threads, int shared, void *stream, Arguments... arguments) {
    if (blocks == 0) return PLORA_OK;
    Device *device;
    bool one = true;
    PLORA_TRY(follows_one((cudaStream_t)stream, one));
    PLORA_TRY(current_device(device));
    PLORA_TRY(prepare(*device, (const void *)kernel));
    cudaLaunchAttribute attributes[2];
    unsigned count = 0;
    if (device->major >= 9 && one) {
        attributes[count].id = cudaLaunchAttributeProgrammaticStreamSerialization;
        attributes[count++].val.programmaticStreamSerializationAllowed = 1;
    }
    if (cluster > 1) {
        attributes[count].id = cudaLaunchAttributeClusterDimension;
        attributes[count++].val.clusterDim = {(unsigned)cluster, 1, 1};
    }
    cudaLaunchConfig_t configuration = {};
    configuration.gridDim = dim3((unsigned)blocks);
    configuration.blockDim = dim3((unsigned)threads);
    configuration.dynamicSmemBytes = (size_t)shared;
    configuration.stream = (cudaStream_t)stream;
    configuration.attrs = attributes;
    configuration.numAttrs = count;
    PLORA_CHECK(cudaLaunchKernelEx(&configuration, kernel, static_cast<Parameters>(arguments)...));
    return PLORA_OK;
}

// The same without clusters, or with those that the kernel is built for.
template <typename... Parameters, typename... Arguments>
int launch(void (*kernel)(Parameters...), int blocks, int threads, int shared, void *stream, Arguments... arguments) {
    return launch_clusters(kernel, blocks, 1, threads, shared, stream, arguments...);
}

#endif

}  // namespace plora
