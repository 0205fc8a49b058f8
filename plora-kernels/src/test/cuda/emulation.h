// Runs the kernels on the host, so that their logic is tested where there is no GPU (x86-64, GCC or Clang).
//
// One fiber a thread of the block, switched only where threads wait for each other. Copies that are asynchronous on the device
// take place no earlier than the wait for them, shared memory starts as NaN and threads take turns in a random order, so that
// a missing wait or barrier shows. What it cannot show: rates, and races that a fixed order of two stores would hide.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <utility>
#include <vector>

using std::max;
using std::min;

inline float __uint_as_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

extern "C" void plora_switch_fiber(void **save, void *load);

namespace plora {
namespace emulation {

struct Copy {
    void *to;
    const void *from;
    int bytes;
    int width;  // what is not copied of it is zeroed
};

enum class Wait { NONE, WARP, BLOCK, DONE };

struct Fiber {
    void *stack_pointer;
    std::vector<char> stack;
    Wait wait;
    int parity;
    std::vector<std::vector<Copy>> groups;  // committed, oldest first; the last one is open
};

struct Block {
    std::vector<Fiber> fibers;
    std::vector<char> shared;
    char slots[32][2][32][32];  // what each thread of a warp shows the others, twice, by turns
    void *scheduler;
    void (*body)(void *);
    void *context;
    int current;
};

extern Block block;
extern uint3 thread_index, block_index;
extern dim3 grid_size, block_size;

// Runs body once for each thread of each block.
void run(int blocks, int threads, int shared, void (*body)(void *), void *context);

void yield(Wait wait);

// Shows a value to the warp and returns where those of all lanes lie, until the next exchange but one.
template <typename T>
const char (*exchange(const T &value))[32] {
    static_assert(sizeof(T) <= 32, "slots hold 32 bytes");
    Fiber &fiber = block.fibers[block.current];
    auto &slot = block.slots[block.current / 32][fiber.parity];
    fiber.parity ^= 1;
    memcpy(slot[block.current % 32], &value, sizeof(T));
    yield(Wait::WARP);
    return slot;
}

template <typename T>
T shown(const char (*slots)[32], int lane) {
    T value;
    memcpy(&value, slots[lane], sizeof(T));
    return value;
}

}  // namespace emulation

inline char *shared_memory() { return emulation::block.shared.data(); }

inline void copy_async(void *shared, const void *global, int bytes) {
    auto &groups = emulation::block.fibers[emulation::block.current].groups;
    if (groups.empty()) groups.emplace_back();
    groups.back().push_back({shared, global, bytes, 16});
}

inline void copy_word_async(void *shared, const void *global, bool valid) {
    auto &groups = emulation::block.fibers[emulation::block.current].groups;
    if (groups.empty()) groups.emplace_back();
    groups.back().push_back({shared, global, valid ? 4 : 0, 4});
}

inline void copy_commit() {
    auto &groups = emulation::block.fibers[emulation::block.current].groups;
    if (groups.empty()) groups.emplace_back();
    groups.emplace_back();
}

template <int pending>
inline void copy_wait() {
    auto &groups = emulation::block.fibers[emulation::block.current].groups;
    while ((int)groups.size() - 1 > pending) {
        for (const emulation::Copy &copy : groups.front()) {
            memset(copy.to, 0, (size_t)copy.width);
            memcpy(copy.to, copy.from, (size_t)copy.bytes);
        }
        groups.erase(groups.begin());
    }
}

inline void load_matrix4_any(uint32_t (&r)[4], const void *row, bool transposed) {
    auto rows = emulation::exchange(row);
    int lane = emulation::block.current % 32;
    for (int matrix = 0; matrix < 4; matrix++) {
        uint16_t pair[2];
        for (int e = 0; e < 2; e++) {
            int line = transposed ? lane % 4 * 2 + e : lane / 4;
            int column = transposed ? lane / 4 : lane % 4 * 2 + e;
            pair[e] = emulation::shown<const uint16_t *>(rows, matrix * 8 + line)[column];
        }
        memcpy(&r[matrix], pair, 4);
    }
}

inline void load_matrix4(uint32_t (&r)[4], const void *row) { load_matrix4_any(r, row, false); }
inline void load_matrix4_transposed(uint32_t (&r)[4], const void *row) { load_matrix4_any(r, row, true); }

inline float bf16_at(uint32_t word, int half) {
    uint32_t bits = half ? word & 0xffff0000u : word << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

inline void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    struct Operands {
        uint32_t a[4], b[2];
    } mine = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
    auto all = emulation::exchange(mine);
    int lane = emulation::block.current % 32;
    for (int i = 0; i < 4; i++) {
        int row = lane / 4, column = lane % 4 * 2 + i % 2;
        float sum = 0;
        for (int k = 0; k < 16; k++) {
            auto left = emulation::shown<Operands>(all, row * 4 + k % 8 / 2);
            auto right = emulation::shown<Operands>(all, column * 4 + k % 8 / 2);
            sum += bf16_at(left.a[i / 2 + k / 8 * 2], k % 2) * bf16_at(right.b[k / 8], k % 2);
        }
        d[i] += sum;
    }
}

inline float shuffle_xor(float value, int mask) {
    auto all = emulation::exchange(value);
    return emulation::shown<float>(all, (emulation::block.current % 32) ^ mask);
}

inline uint32_t shuffle_xor(uint32_t value, int mask) {
    auto all = emulation::exchange(value);
    return emulation::shown<uint32_t>(all, (emulation::block.current % 32) ^ mask);
}

// A cluster is one block.
inline uint32_t cluster_rank() { return 0; }
inline void cluster_wait() { emulation::yield(emulation::Wait::BLOCK); }
inline float4 read_from(const float *from, uint32_t) { return *(const float4 *)from; }

inline void prefetch(const void *) {}
inline void wait_for_previous() {}
inline void wait_for_previous_first() {}
inline void launch_dependents() {}

inline void add_pair(float *to, float low, float high) {
    to[0] += low;
    to[1] += high;
}

template <typename... Parameters, typename... Arguments>
int launch(void (*kernel)(Parameters...), int blocks, int threads, int shared, void *, Arguments... arguments) {
    auto call = [&] { kernel(static_cast<Parameters>(arguments)...); };
    emulation::run(blocks, threads, shared, [](void *context) { (*(decltype(call) *)context)(); }, &call);
    return PLORA_OK;
}

}  // namespace plora

#undef __launch_bounds__
#define __launch_bounds__(...)
#define threadIdx plora::emulation::thread_index
#define blockIdx plora::emulation::block_index
#define gridDim plora::emulation::grid_size
#define blockDim plora::emulation::block_size
#define __syncthreads() plora::emulation::yield(plora::emulation::Wait::BLOCK)
#define __syncwarp() plora::emulation::yield(plora::emulation::Wait::WARP)
