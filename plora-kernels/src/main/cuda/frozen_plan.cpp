// Which frozen products the kernel for few rows takes, and how it cuts them; computed on the host without a GPU.
#include <algorithm>

#include "frozen.h"

namespace plora {
namespace {

}  // namespace

int64_t frozen_ring_bytes(const FrozenPlan &plan) {
    return (int64_t)(plan.weight_stages * plan.width + plan.x_stages * plan.tokens) * FROZEN_DEPTH * 2;
}

bool frozen_plan_fits(const FrozenPlan &plan, bool backward) {
    int most = plan.tokens == 32 || plan.tokens == 64 ? 3 : plan.tokens == 128 ? 2 : plan.tokens == 256 ? 1 : 0;
    int held = plan.groups * 128;
    int64_t sums = (int64_t)plan.tokens * ((plan.width + 31) / 32 * 32 + 4) * 4;
    return plan.groups >= 1 && plan.groups <= most && plan.width >= 8 && plan.width <= held
        && plan.width % (backward ? 64 : plan.width > 256 ? 16 : 8) == 0 && plan.beside >= 1 && plan.splits >= 1
        && plan.beside * plan.splits <= 8 && plan.tokens % (8 * plan.beside) == 0
        && plan.weight_stages >= 1 && plan.weight_stages <= FROZEN_STAGES && plan.x_stages >= 1 && plan.x_stages <= FROZEN_STAGES
        && frozen_ring_bytes(plan) <= FROZEN_SHARED && sums <= frozen_ring_bytes(plan)
        // products read past a narrow tile, but not past the rings
        && (held - plan.width) <= plan.x_stages * plan.tokens;
}

}  // namespace plora
