// Which frozen products the kernel for few rows takes, and how it cuts them; computed on the host without a GPU.
#include <algorithm>

#include "frozen.h"

namespace plora {
namespace {

int divide_up(int a, int b) { return (a + b - 1) / b; }

// The smallest number of rows that kernels are built for.
int round_tokens(int rows) { return rows <= 32 ? 32 : rows <= 64 ? 64 : rows <= 128 ? 128 : 256; }

int most_groups(int tokens) { return tokens <= 64 ? 3 : tokens == 128 ? 2 : 1; }

// Clusters of so many blocks that run at once, where a block takes a multiprocessor: what an H100 says of its 132, in proportion.
int clusters_at_once(int multiprocessors, int blocks) {
    constexpr int OF_132[FROZEN_SPLITS] = {132, 66, 39, 30, 22, 17, 15, 15};
    return OF_132[blocks - 1] * multiprocessors / 132;
}

// Nanoseconds that a product takes on an H100 besides a constant: each step's weights from memory, with x from the L2 cache, or
// its multiplications, whichever is slowest; and the sums that blocks of a cluster exchange. (Rates by measurement.)
double estimate(const FrozenPlan &plan, int columns, int depth) {
    constexpr double MEMORY = 3000, L2_OF_BLOCK = 60, EXCHANGE_OF_BLOCK = 15;  // bytes a nanosecond
    constexpr double LATENCY = 350;                                            // of a step's barriers and products
    constexpr double MULTIPLY = 64 * 64 * FROZEN_DEPTH / 1300.0;               // of 64 rows of x with 64 weight rows
    int blocks = divide_up(columns, plan.width) * plan.splits, steps = divide_up(divide_up(depth, FROZEN_DEPTH), plan.splits);
    double row = FROZEN_DEPTH * 2;  // bytes
    double memory = plan.width * row * blocks / MEMORY, l2 = (plan.width + plan.tokens) * row / L2_OF_BLOCK;
    double products = MULTIPLY * plan.tokens / 64 * 2 * plan.groups / 1024;
    double exchanged = plan.splits > 1 ? 4.0 * plan.tokens * plan.width * (plan.splits - 1) / plan.splits / EXCHANGE_OF_BLOCK : 0;
    return steps * std::max({memory, l2, products, LATENCY}) + exchanged;
}

// As deep as fits, x's ring first: it holds what comes from the L2 cache in the time of a few steps.
void deepen(FrozenPlan &plan) {
    constexpr int SPARE = 24 * 1024;  // bytes, for blocks of the small kernels before and after
    plan.x_stages = plan.tokens == 256 ? 3 : 6;
    int rows = (FROZEN_SHARED - SPARE) / (FROZEN_DEPTH * 2) - plan.x_stages * plan.tokens;
    plan.weight_stages = std::min(FROZEN_STAGES, rows / plan.width);
}

}  // namespace

int64_t frozen_ring_bytes(const FrozenPlan &plan) {
    return (int64_t)(plan.weight_stages * plan.width + plan.x_stages * plan.tokens) * FROZEN_DEPTH * 2;
}

bool frozen_plan_fits(const FrozenPlan &plan, bool backward) {
    int held = plan.groups * 128, unit = backward ? 64 : plan.width > 256 ? 16 : 8;
    bool tile = plan.tokens == round_tokens(plan.tokens) && plan.groups >= 1 && plan.groups <= most_groups(plan.tokens)
        && plan.width >= unit && plan.width <= held && plan.width % unit == 0 && plan.splits >= 1 && plan.splits <= FROZEN_SPLITS;
    // a stage is given back once the products of the next one are under way
    bool rings = plan.weight_stages >= 2 && plan.weight_stages <= FROZEN_STAGES && plan.x_stages >= 2
        && plan.x_stages <= FROZEN_STAGES && frozen_ring_bytes(plan) <= FROZEN_SHARED;
    int64_t sums = (int64_t)divide_up(plan.tokens / 8, plan.splits) * plan.splits * 8 * held * 4;  // shares of rows may be uneven
    // products read past a narrow tile, but not past the rings; the sums lie there afterwards
    return tile && rings && held - plan.width <= plan.x_stages * plan.tokens && sums <= frozen_ring_bytes(plan);
}

bool frozen_plan(const plora_device &device, bool backward, int rows, int columns, int depth, FrozenPlan &plan) {
    constexpr int FEWEST_STEPS = 256;  // with fewer, what a block does besides them takes longer than cuBLAS's more steps
    if (device.compute_capability != 90 || rows > 256 || depth < FEWEST_STEPS * FROZEN_DEPTH) return false;
    double best = 0;
    for (int splits = 1; splits <= FROZEN_SPLITS; splits++) {
        for (int width = 64; width <= most_groups(round_tokens(rows)) * 128; width += backward ? 64 : 16) {
            FrozenPlan p = {round_tokens(rows), divide_up(width, 128), width, splits, 0, 0};
            deepen(p);
            bool at_once = divide_up(columns, width) <= clusters_at_once(device.multiprocessors, splits);
            if (!at_once || !frozen_plan_fits(p, backward)) continue;
            double time = estimate(p, columns, depth);
            if (best == 0 || time < best) {
                best = time;
                plan = p;
            }
        }
    }
    return best > 0;
}

}  // namespace plora
