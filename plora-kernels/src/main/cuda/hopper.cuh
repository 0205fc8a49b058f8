// Primitives of sm_90a: barriers in shared memory, tensor copies (TMA) and products of warpgroups (wgmma).
//
// Operand tiles have rows of 128 bytes, 64 bf16, swizzled as chunk_at<64> does, which is what both the copies and the products
// call a swizzle of 128 bytes; they start at multiples of 1024 bytes.
#pragma once
#include <cuda.h>

#include "device.cuh"

namespace plora {

// Whether this pass of the compiler knows the instructions below.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define PLORA_HOPPER 1
#endif

#if defined(PLORA_HOPPER)

constexpr int WARPGROUP = 128;  // threads

__device__ inline uint32_t cluster_rank() {
    uint32_t rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

__device__ inline uint32_t cluster_index() {
    uint32_t index;
    asm volatile("mov.u32 %0, %%clusterid.x;" : "=r"(index));
    return index;
}

__device__ inline uint32_t cluster_count() {
    uint32_t count;
    asm volatile("mov.u32 %0, %%nclusterid.x;" : "=r"(count));
    return count;
}

// Waits for all threads of the cluster; what each wrote before is seen after.
__device__ inline void cluster_wait() {
    asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

// The same, but what was written before need not be seen after: does not wait for writes to global memory.
__device__ inline void cluster_wait_relaxed() {
    asm volatile("barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
}

// Waits for `threads` threads that use the same barrier, 1..15.
__device__ inline void wait_named(int barrier, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// Registers of each thread of the warpgroup from here on.
template <int registers>
__device__ inline void give_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}
template <int registers>
__device__ inline void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}

__device__ inline void wait_for_grids() { asm volatile("griddepcontrol.wait;" ::: "memory"); }

// ---- barriers ----

__device__ inline void barrier_init(uint64_t *barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}

// Shows initialised barriers to the cluster and to the copies.
__device__ inline void barrier_init_fence() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

__device__ inline void barrier_expect(uint64_t *barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
}

// Barriers by their shared address, for loops where each instruction counts.
__device__ inline void barrier_arrive(uint32_t barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

__device__ inline void barrier_arrive(uint64_t *barrier) { barrier_arrive(shared_address(barrier)); }

// Arrives at the same barrier of another block of the cluster. Orders nothing that this block wrote: a release for the cluster
// would wait for all its writes to global memory too.
__device__ inline void barrier_arrive_at(uint64_t *barrier, uint32_t rank) {
    asm volatile(
        "{\n.reg .b32 remote;\n"
        "mapa.shared::cluster.u32 remote, %0, %1;\n"
        "mbarrier.arrive.shared::cluster.b64 _, [remote];\n}" ::"r"(shared_address(barrier)),
        "r"(rank)
        : "memory");
}

__device__ inline void barrier_wait(uint32_t barrier, uint32_t parity) {
    uint32_t done;
    do {
        asm volatile(
            "{\n.reg .pred p;\n"
            "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
            "selp.u32 %0, 1, 0, p;\n}"
            : "=r"(done)
            : "r"(barrier), "r"(parity)
            : "memory");
    } while (done == 0);
}

__device__ inline void barrier_wait(uint64_t *barrier, uint32_t parity) { barrier_wait(shared_address(barrier), parity); }

// ---- copies ----

// Copies 16 bytes, of which all exist.
__device__ inline void copy_chunk_async(uint32_t shared, const void *global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(global));
}

__device__ inline void prefetch_map(const CUtensorMap *map) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

// Copies a box of a matrix to shared memory and counts its bytes at the barrier.
__device__ inline void copy_box(void *shared, const CUtensorMap *map, uint64_t *barrier, int column, int row) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
            shared_address(shared)),
        "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row)
        : "memory");
}

// The same for what is not read again soon, so that it goes from the L2 cache before other lines.
__device__ inline void copy_box_once(void *shared, const CUtensorMap *map, uint64_t *barrier, int column, int row) {
    constexpr uint64_t EVICT_FIRST = 0x12f0000000000000;  // as createpolicy makes it
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint"
        " [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(shared)),
        "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row), "l"(EVICT_FIRST)
        : "memory");
}

// The same to the same place in all blocks of the cluster in `mask`.
__device__ inline void copy_box_to(void *shared, const CUtensorMap *map, uint64_t *barrier, int column, int row, uint16_t mask) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster"
        " [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(shared)),
        "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row), "h"(mask)
        : "memory");
}

// The shared address in another block of the cluster of what has this address in this one.
__device__ inline uint32_t address_in(uint32_t rank, uint32_t address) {
    uint32_t there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
    return there;
}

// Four values of another block of the cluster, from the place that `from` is in this block.
__device__ inline float4 read_from(const float *from, uint32_t rank) {
    float4 v;
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(address_in(rank, shared_address(from)))
                 : "memory");
    return v;
}

// Writes four values to a block of the cluster, and counts their bytes at its barrier once they are there.
__device__ inline void send(uint32_t there, float a, float b, float c, float d, uint32_t barrier_there) {
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(there), "f"(a),
                 "f"(b), "f"(c), "f"(d), "r"(barrier_there)
                 : "memory");
}

// A block of 8 x 8 bf16, of which each thread has two of row lane / 4, transposed.
__device__ inline uint32_t transpose(uint32_t pair) {
    uint32_t result;
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(result) : "r"(pair));  // not where threads part
    return result;
}

// Shows what this thread wrote to shared memory to products and copies.
__device__ inline void show_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Four blocks of 8 x 8 bf16 as products leave them, to rows of 16 bytes: this thread gives the place of row lane % 8 of block
// lane / 8.
__device__ inline void store_matrix4(void *row, const uint32_t (&r)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)), "r"(r[0]), "r"(r[1]),
                 "r"(r[2]), "r"(r[3])
                 : "memory");
}

// Adds four neighbours, aligned to 16 bytes, without waiting for what is there.
__device__ inline void add_quad(float *to, const float4 &quad) {
    asm volatile("red.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to), "f"(quad.x), "f"(quad.y), "f"(quad.z), "f"(quad.w)
                 : "memory");
}

// Exchanges sums of two blocks of 8 columns with the neighbour, pairs of this thread's row: even threads get four columns of the
// first block, odd ones of the second. `quad_column` tells which of the 16.
__device__ inline float4 gather_quad(const float *first, const float *second) {
    bool odd = threadIdx.x & 1;
    float low = shuffle_xor(odd ? first[0] : second[0], 1), high = shuffle_xor(odd ? first[1] : second[1], 1);
    return odd ? float4{low, high, second[0], second[1]} : float4{first[0], first[1], low, high};
}
__device__ inline int quad_column() { return (int)(threadIdx.x & 1) * 8 + (int)(threadIdx.x & 2) * 2; }

// ---- products ----

// Where an operand lies whose rows of 128 bytes follow the sum (K-major): 8 rows in 1024 bytes. 16 further along the sum: + 2.
__device__ inline uint64_t operand(const void *tile) {
    uint64_t address = (shared_address(tile) & 0x3ffff) >> 4;
    return address | 1ull << 16 | 64ull << 32 | 1ull << 62;
}

// The same by its shared address in units of 16 bytes, and with 64 columns that follow the other way (MN-major): 16 further, + 128.
__device__ inline uint64_t operand_at(uint32_t place) { return place | 1ull << 16 | 64ull << 32 | 1ull << 62; }
__device__ inline uint64_t operand_transposed_at(uint32_t place) { return place | 64ull << 32 | 1ull << 62; }

// The same of one whose rows of N elements (16, 32 or 64, swizzled as chunk_at<N> does) are one step of the sum (MN-major),
// with `leading` bytes from N columns to the next N. 16 further along the sum: + 2 N.
template <int N>
__device__ inline uint64_t operand_transposed(const void *tile, int leading = 0) {
    uint64_t address = (shared_address(tile) & 0x3ffff) >> 4;
    return address | (uint64_t)(leading >> 4) << 16 | (uint64_t)N << 32 | (N == 64 ? 1ull : N == 32 ? 2ull : 3ull) << 62;
}

__device__ inline void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

template <int pending>
__device__ inline void products_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}

// Keeps the compiler from touching sums before they are there.
template <int N>
__device__ inline void hold(float (&sums)[N]) {
#pragma unroll
    for (int i = 0; i < N; i++) asm volatile("" : "+f"(sums[i])::"memory");
}

// Operands of products: sums 0 .. n - 1 of d, by number and by place.
#define PLORA_NUMBERS_4 "%0, %1, %2, %3"
#define PLORA_NUMBERS_8 PLORA_NUMBERS_4 ", %4, %5, %6, %7"
#define PLORA_NUMBERS_16 PLORA_NUMBERS_8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define PLORA_NUMBERS_32 \
    PLORA_NUMBERS_16 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define PLORA_NUMBERS_64 \
    PLORA_NUMBERS_32 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
                     "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define PLORA_NUMBERS_128 \
    PLORA_NUMBERS_64 ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
                     "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, " \
                     "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
                     "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define PLORA_SUMS_4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define PLORA_SUMS_8(d, i) PLORA_SUMS_4(d, i), PLORA_SUMS_4(d, i + 4)
#define PLORA_SUMS_16(d, i) PLORA_SUMS_8(d, i), PLORA_SUMS_8(d, i + 8)
#define PLORA_SUMS_32(d, i) PLORA_SUMS_16(d, i), PLORA_SUMS_16(d, i + 16)
#define PLORA_SUMS_64(d, i) PLORA_SUMS_32(d, i), PLORA_SUMS_32(d, i + 32)
#define PLORA_SUMS_128(d, i) PLORA_SUMS_64(d, i), PLORA_SUMS_64(d, i + 64)

// d (64 x 256) = a b, or += where add is not 0; b may be transposed.
template <bool TRANSPOSED>
__device__ inline void multiply_group(float (&d)[128], uint64_t a, uint64_t b, int add) {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %130, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
        PLORA_NUMBERS_128
        "}, %128, %129, p, 1, 1, 0, %131;\n}"
        : PLORA_SUMS_128(d, 0)
        : "l"(a), "l"(b), "r"(add), "n"(TRANSPOSED ? 1 : 0));
}

// d (64 x N) += a b, where operands may be transposed: n / 2 sums; rest: the operands after them.
#define PLORA_MULTIPLY(n, count, rest)                                                                      \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" PLORA_NUMBERS_##count "}, " rest \
                 : PLORA_SUMS_##count(d, 0)                                                                 \
                 : "l"(a), "l"(b), "n"(TRANSPOSED_A ? 1 : 0), "n"(TRANSPOSED_B ? 1 : 0))

template <int N, bool TRANSPOSED_A, bool TRANSPOSED_B>
__device__ inline void multiply_narrow(float (&d)[N / 2], uint64_t a, uint64_t b) {
    static_assert(N == 8 || N == 16 || N == 32 || N == 64 || N == 128 || N == 256, "N");
    if constexpr (N == 8) {
        PLORA_MULTIPLY(8, 4, "%4, %5, 1, 1, 1, %6, %7;");
    } else if constexpr (N == 16) {
        PLORA_MULTIPLY(16, 8, "%8, %9, 1, 1, 1, %10, %11;");
    } else if constexpr (N == 32) {
        PLORA_MULTIPLY(32, 16, "%16, %17, 1, 1, 1, %18, %19;");
    } else if constexpr (N == 64) {
        PLORA_MULTIPLY(64, 32, "%32, %33, 1, 1, 1, %34, %35;");
    } else if constexpr (N == 128) {
        PLORA_MULTIPLY(128, 64, "%64, %65, 1, 1, 1, %66, %67;");
    } else if constexpr (N == 256) {
        PLORA_MULTIPLY(256, 128, "%128, %129, 1, 1, 1, %130, %131;");
    }
}

#undef PLORA_MULTIPLY

#endif

}  // namespace plora
