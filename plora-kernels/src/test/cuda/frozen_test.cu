// Frozen products for few rows against plain loops in double precision, and how they are cut.
#include "frozen.h"

#include "test.h"

using namespace plora;

#ifndef PLORA_EMULATE
namespace {

struct Product {
    bool backward;
    int rows, columns, depth, x_stride;
    float beta;
};

// Any plan that a kernel is built for and whose tiles fit, or false.
bool random_plan(Random &random, const Product &p, FrozenPlan &plan) {
    int fewest = p.rows <= 32 ? 32 : p.rows <= 64 ? 64 : p.rows <= 128 ? 128 : 256;
    plan.tokens = random.chance(0.8) ? fewest : random.one_of({32, 64, 128, 256});
    plan.groups = random.within(1, 3);
    int unit = p.backward ? 64 : plan.groups == 3 ? 16 : 8;
    plan.width = unit * random.within(1, plan.groups * 128 / unit);
    plan.splits = random.within(1, 8);
    plan.weight_stages = random.within(2, 12);
    plan.x_stages = random.within(2, 6);
    return plan.tokens >= p.rows && frozen_plan_fits(plan, p.backward);
}

Product random_product(Random &random) {
    Product p;
    p.backward = random.chance(0.5);
    p.rows = random.one_of({1, 64, 256, random.within(1, 32), random.within(1, 64), random.within(65, 256)});
    int most = random.chance(0.2) ? 4000 : 600, other = most == 4000 ? 200 : 600;
    bool deep = random.chance(0.5);
    p.depth = 8 * random.within(1, (deep ? most : other) / 8);
    p.columns = 8 * random.within(1, (deep ? other : most) / 8);
    if (random.chance(0.3)) p.depth = 64 * random.within(1, 12);
    if (random.chance(0.3)) p.columns = 128 * random.within(1, 4);
    p.x_stride = p.depth + (random.chance(0.3) ? 8 * random.within(1, 8) : 0);
    p.beta = random.one_of({0.0f, 1.0f, 0.5f});
    return p;
}

Expected expect(const Product &p, const std::vector<bf16> &x, const std::vector<bf16> &w, const std::vector<bf16> &old) {
    Expected e((size_t)p.rows * (size_t)p.columns);
    for (int row = 0; row < p.rows; row++) {
        for (int column = 0; column < p.columns; column++) {
            size_t at = (size_t)row * (size_t)p.columns + (size_t)column;
            e.start(at, p.beta != 0 ? (double)p.beta * number(old[at]) : 0);
            for (int k = 0; k < p.depth; k++) {
                size_t weight = p.backward ? (size_t)k * (size_t)p.columns + (size_t)column : (size_t)column * (size_t)p.depth + (size_t)k;
                e.add(at, number(x[(size_t)row * (size_t)p.x_stride + (size_t)k]) * number(w[weight]));
            }
        }
    }
    return e;
}

void check_product(Random &random, const Product &p, const FrozenPlan &plan, bool nan) {
    std::vector<bf16> x = random.bf16s((size_t)p.rows * (size_t)p.x_stride, 1);
    std::vector<bf16> w = random.bf16s((size_t)p.columns * (size_t)p.depth, 1), old = random.bf16s((size_t)p.rows * (size_t)p.columns, 1);
    int bad = nan ? random.within(0, p.rows - 1) : -1;
    Expected expected = expect(p, x, w, old);
    if (nan) x[(size_t)bad * (size_t)p.x_stride] = __float2bfloat16(NAN);
    for (int row = 0; row < p.rows; row++) {
        for (int k = p.depth; k < p.x_stride; k++) x[(size_t)row * (size_t)p.x_stride + (size_t)k] = __float2bfloat16(NAN);
    }
    Array<bf16> device_x(x), device_w(w), out(old.size());
    std::vector<bf16> first;
    for (int run = 0; run < 2; run++) {
        if (p.beta != 0) {
            out.write(old);
        } else {
            out.poison();
        }
        CHECK_PLORA(frozen_product(plan, p.backward, device_x.data(), p.x_stride, device_w.data(), out.data(), p.rows, p.columns, p.depth,
                                   p.beta, nullptr));
        std::vector<bf16> got = out.read();
        if (run > 0) REQUIRE(same_bits(got, first), "Two runs of rows (%d) differ.", p.rows);
        first = got;
    }
    for (int column = 0; nan && column < p.columns; column++) {
        size_t at = (size_t)bad * (size_t)p.columns + (size_t)column;
        REQUIRE(isnan(number(first[at])), "A row with NaN gave %g.", number(first[at]));
        first[at] = __float2bfloat16((float)expected.value[at]);
    }
    compare(p.backward ? "dx" : "y", first, expected, BF16, F32);
}

}  // namespace
#endif

void test_frozen_plan(Random &random, int shapes) {
    for (int i = 0; i < shapes; i++) {
        plora_device device = {random.one_of({80, 90, 90, 90, 100}), random.one_of({66, 114, 132}), 227 << 10};
        bool backward = random.chance(0.5);
        int rows = random.within(1, 400), columns = 8 * random.within(1, 5000), depth = 8 * random.within(1, 5000);
        if (random.chance(0.5)) depth *= 10, columns = 8 * random.within(1, 600);
        FrozenPlan plan;
        if (!frozen_plan(device, backward, rows, columns, depth, plan)) continue;
        REQUIRE(device.compute_capability == 90 && rows <= plan.tokens && frozen_plan_fits(plan, backward), "rows (%d)", rows);
        int64_t tiles = (columns + plan.width - 1) / plan.width;
        REQUIRE(tiles * plan.splits <= device.multiprocessors, "(%lld) blocks", (long long)tiles * plan.splits);
        REQUIRE(tiles * plan.width < columns + plan.width, "a tile of (%d) lies beyond (%d) columns", plan.width, columns);
    }
    plora_device h100 = {90, 132, 227 << 10};
    FrozenPlan plan;
    REQUIRE(frozen_plan(h100, true, 256, 3584, 37888, plan) && plan.width == 128 && plan.splits == 4, "width (%d)", plan.width);
    REQUIRE(!frozen_plan(h100, true, 257, 3584, 37888, plan), "rows (257)");
    REQUIRE(!frozen_plan(h100, false, 256, 37888, 3584, plan), "more tiles than multiprocessors");
}

#ifndef PLORA_EMULATE

void test_frozen(Random &random, int shapes) {
    for (int i = 0; i < shapes; i++) {
        Product p = random_product(random);
        FrozenPlan plan;
        while (!random_plan(random, p, plan)) {
        }
        check_product(random, p, plan, random.chance(0.2));
    }
}

#endif
