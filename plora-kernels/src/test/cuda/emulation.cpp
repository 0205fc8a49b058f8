#include "device.cuh"

#include <algorithm>
#include <numeric>
#include <random>

asm(R"(
.text
.globl plora_switch_fiber
plora_switch_fiber:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

namespace plora {
namespace emulation {

Block block;
uint3 thread_index, block_index;
dim3 grid_size, block_size;

namespace {

constexpr size_t STACK = 64 * 1024;
std::mt19937 order_random(1);

void enter() {
    block.body(block.context);
    yield(Wait::DONE);
    abort();
}

void resume(int thread) {
    block.current = thread;
    thread_index.x = (unsigned)thread;
    plora_switch_fiber(&block.scheduler, block.fibers[thread].stack_pointer);
}

void prepare(Fiber &fiber) {
    fiber.stack.resize(STACK);
    uintptr_t top = ((uintptr_t)fiber.stack.data() + STACK) & ~(uintptr_t)15;
    void **frame = (void **)top - 8;  // six registers, the return address, and the alignment of a call
    std::fill(frame, frame + 6, nullptr);
    frame[6] = (void *)enter;
    fiber.stack_pointer = frame;
    fiber.wait = Wait::NONE;
    fiber.parity = 0;
    fiber.groups.clear();
}

// Releases threads first .. end - 1 if all of them that still run wait for the same.
bool release(int first, int end, Wait wait) {
    bool any = false;
    for (int i = first; i < end; i++) {
        Wait state = block.fibers[i].wait;
        if (state != wait && state != Wait::DONE) return false;
        any = any || state == wait;
    }
    for (int i = first; i < end; i++) {
        if (block.fibers[i].wait == wait) block.fibers[i].wait = Wait::NONE;
    }
    return any;
}

void run_warp(int warp, std::vector<int> &order) {
    do {
        std::shuffle(order.begin(), order.end(), order_random);
        for (int lane : order) {
            if (block.fibers[warp * 32 + lane].wait == Wait::NONE) resume(warp * 32 + lane);
        }
    } while (release(warp * 32, warp * 32 + 32, Wait::WARP));
}

void run_block(int threads, int shared) {
    block.fibers.resize((size_t)threads);
    for (Fiber &fiber : block.fibers) prepare(fiber);
    block.shared.assign((size_t)shared + 128, (char)0xff);  // bf16 and f32 NaN
    std::vector<int> warps((size_t)threads / 32), lanes(32);
    std::iota(warps.begin(), warps.end(), 0);
    std::iota(lanes.begin(), lanes.end(), 0);
    do {
        std::shuffle(warps.begin(), warps.end(), order_random);
        for (int warp : warps) run_warp(warp, lanes);
    } while (release(0, threads, Wait::BLOCK));
    for (const Fiber &fiber : block.fibers) {
        if (fiber.wait != Wait::DONE) {
            fprintf(stderr, "Threads of a block wait for different things.\n");
            abort();
        }
    }
}

}  // namespace

void yield(Wait wait) {
    Fiber &fiber = block.fibers[block.current];
    fiber.wait = wait;
    plora_switch_fiber(&fiber.stack_pointer, block.scheduler);
}

void run(int blocks, int threads, int shared, void (*body)(void *), void *context) {
    block.body = body;
    block.context = context;
    grid_size = dim3((unsigned)blocks);
    block_size = dim3((unsigned)threads);
    for (int i = 0; i < blocks; i++) {
        block_index.x = (unsigned)i;
        run_block(threads, shared);
    }
}

}  // namespace emulation
}  // namespace plora

int plora_device_query(plora_device *device) {
    *device = {90, 4, 227 * 1024};
    return PLORA_OK;
}
