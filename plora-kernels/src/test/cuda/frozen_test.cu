// Frozen products for few rows against plain loops in double precision, and how they are cut.
#include "frozen.h"

#include <memory>

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

// Low-rank terms of the product, on host and device.
struct LowRank {
    std::vector<bf16> s, operand[FROZEN_PARTS];
    std::unique_ptr<Array<bf16>> device_s, device_operand[FROZEN_PARTS];
    FrozenLowRank low = {};

    LowRank(Random &random, const Product &p) {
        low.parts = random.within(1, FROZEN_PARTS);
        int from = 0;
        for (int i = 0; i < low.parts; i++) {
            auto &part = low.part[i];
            part.rank = random.chance(0.2) ? 0 : 8 * random.one_of({1, 2, 4, 8, random.within(1, 16)});
            part.offset = low.stride;
            part.from = from;
            part.to = i + 1 == low.parts ? p.columns : from + 8 * random.within(0, (p.columns - from) / 8);
            from = part.to;
            low.stride += part.rank;
            part.operand_stride = p.backward ? p.columns : part.rank;
            operand[i] = random.bf16s((size_t)part.rank * (size_t)(p.backward ? p.columns : part.to - part.from), 1);
            device_operand[i] = std::make_unique<Array<bf16>>(operand[i]);
            part.operand = device_operand[i]->data();
            if (operand[i].empty()) part.rank = 0;
        }
        s = random.bf16s((size_t)p.rows * (size_t)low.stride, 1);
        poison(random, p);
        device_s = std::make_unique<Array<bf16>>(s);
        low.low_rank = device_s->data();
        if (low.stride == 0) low.parts = 0;
    }

    int ill = -1;  // a part whose S has NaN; in forward tiles of other parts must not notice

    void poison(Random &random, const Product &p) {
        int part = random.within(0, low.parts - 1);
        if (p.backward || low.part[part].rank == 0 || low.part[part].to == low.part[part].from || random.chance(0.7)) return;
        ill = part;
        for (int row = 0; row < p.rows; row++) s[(size_t)row * (size_t)low.stride + (size_t)low.part[part].offset] = __float2bfloat16(NAN);
    }

    // Checks the ill part's columns, and takes them out, with what else is in their tiles.
    void forget_ill(const Product &p, const FrozenPlan &plan, std::vector<bf16> &got, Expected &expected) const {
        int from = low.part[ill].from, to = low.part[ill].to;
        for (size_t at = 0; at < got.size(); at++) {
            int column = (int)(at % (size_t)p.columns), tile = column / plan.width * plan.width;
            if (tile >= to || tile + plan.width <= from) continue;
            if (column >= from && column < to) REQUIRE(isnan(number(got[at])), "NaN of a part gave %g.", number(got[at]));
            got[at] = __float2bfloat16(0);
            expected.value[at] = expected.squares[at] = 0;
        }
    }

    void add_to(const Product &p, Expected &e) const {
        for (int i = 0; i < low.parts; i++) {
            const auto &part = low.part[i];
            int first = p.backward ? 0 : part.from, end = p.backward ? p.columns : part.to;
            for (int row = 0; row < p.rows; row++) {
                for (int column = first; column < end; column++) {
                    for (int k = 0; k < part.rank; k++) {
                        size_t weight = p.backward ? (size_t)k * (size_t)p.columns + (size_t)column : (size_t)(column - first) * (size_t)part.rank + (size_t)k;
                        e.add((size_t)row * (size_t)p.columns + (size_t)column,
                              number(s[(size_t)row * (size_t)low.stride + (size_t)(part.offset + k)]) * number(operand[i][weight]));
                    }
                }
            }
        }
    }
};

Expected expect(const Product &p, const std::vector<bf16> &x, const std::vector<bf16> &w, const std::vector<bf16> &old, const std::vector<bf16> &bias) {
    Expected e((size_t)p.rows * (size_t)p.columns);
    for (int row = 0; row < p.rows; row++) {
        for (int column = 0; column < p.columns; column++) {
            size_t at = (size_t)row * (size_t)p.columns + (size_t)column;
            e.start(at, (p.beta != 0 ? (double)p.beta * number(old[at]) : 0) + (bias.empty() ? 0 : number(bias[(size_t)column])));
            for (int k = 0; k < p.depth; k++) {
                size_t weight = p.backward ? (size_t)k * (size_t)p.columns + (size_t)column : (size_t)column * (size_t)p.depth + (size_t)k;
                e.add(at, number(x[(size_t)row * (size_t)p.x_stride + (size_t)k]) * number(w[weight]));
            }
        }
    }
    return e;
}

void check_product(Random &random, const Product &p, const FrozenPlan &plan, bool nan, bool fused) {
    std::vector<bf16> x = random.bf16s((size_t)p.rows * (size_t)p.x_stride, 1);
    std::vector<bf16> w = random.bf16s((size_t)p.columns * (size_t)p.depth, 1), old = random.bf16s((size_t)p.rows * (size_t)p.columns, 1);
    std::vector<bf16> bias = random.bf16s(random.chance(0.3) ? (size_t)p.columns : 0, 1);
    int bad = nan ? random.within(0, p.rows - 1) : -1;
    Expected expected = expect(p, x, w, old, bias);
    std::unique_ptr<LowRank> low = fused ? std::make_unique<LowRank>(random, p) : nullptr;
    if (fused) low->add_to(p, expected);
    if (nan) x[(size_t)bad * (size_t)p.x_stride] = __float2bfloat16(NAN);
    for (int row = 0; row < p.rows; row++) {
        for (int k = p.depth; k < p.x_stride; k++) x[(size_t)row * (size_t)p.x_stride + (size_t)k] = __float2bfloat16(NAN);
    }
    Array<bf16> device_x(x), device_w(w), device_old(old), device_bias(bias), out(old.size());
    bool in_place = random.chance(0.5);
    std::vector<bf16> first;
    for (int run = 0; run < 2; run++) {
        if (p.beta != 0 && in_place) {
            out.write(old);
        } else {
            out.poison();
        }
        CHECK_PLORA(frozen_product(plan, p.backward, device_x.data(), p.x_stride, device_w.data(), out.data(), p.rows, p.columns, p.depth,
                                   p.beta, in_place ? out.data() : device_old.data(), bias.empty() ? nullptr : device_bias.data(),
                                   fused ? &low->low : nullptr, nullptr));
        std::vector<bf16> got = out.read();
        if (run > 0) REQUIRE(same_bits(got, first), "Two runs of rows (%d) differ.", p.rows);
        first = got;
    }
    for (int column = 0; nan && column < p.columns; column++) {
        size_t at = (size_t)bad * (size_t)p.columns + (size_t)column;
        REQUIRE(isnan(number(first[at])), "A row with NaN gave %g.", number(first[at]));
        first[at] = __float2bfloat16((float)expected.value[at]);
    }
    if (fused && low->ill >= 0) low->forget_ill(p, plan, first, expected);
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
        if (!frozen_plan(device, backward, rows, columns, depth, random.chance(0.5), plan)) continue;
        REQUIRE(device.compute_capability == 90 && rows <= plan.tokens && frozen_plan_fits(plan, backward), "rows (%d)", rows);
        int64_t tiles = (columns + plan.width - 1) / plan.width;
        REQUIRE(tiles * plan.splits <= device.multiprocessors, "(%lld) blocks", (long long)tiles * plan.splits);
        REQUIRE(tiles * plan.width < columns + plan.width, "a tile of (%d) lies beyond (%d) columns", plan.width, columns);
    }
    plora_device h100 = {90, 132, 227 << 10};
    FrozenPlan plan;
    REQUIRE(frozen_plan(h100, true, 256, 3584, 37888, false, plan) && plan.width == 128 && plan.splits == 4, "width (%d)", plan.width);
    REQUIRE(!frozen_plan(h100, true, 257, 3584, 37888, false, plan), "rows (257)");
    REQUIRE(!frozen_plan(h100, false, 256, 37888, 3584, false, plan), "more tiles than multiprocessors");
}

#ifndef PLORA_EMULATE

void test_frozen(Random &random, int shapes) {
    for (int i = 0; i < shapes; i++) {
        Product p = random_product(random);
        FrozenPlan plan;
        while (!random_plan(random, p, plan)) {
        }
        check_product(random, p, plan, random.chance(0.2), random.chance(0.5));
    }
}

#endif
