// Packed LoRA against plain loops in double precision.
#include <future>
#include <map>
#include <set>

#include "lora_case.h"
#include "lora_plan.h"

namespace {

using plora::GRADIENT_A_COLUMNS;
using plora::GRADIENT_B_COLUMNS;
using plora::SHRINK_DEPTH;

uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// io.plora.kernels.Dropout.bits
uint64_t drop_bits(int64_t row_key, int module, int quad) {
    return mix((uint64_t)row_key ^ mix(((uint64_t)module << 32 | (uint64_t)quad) + 0x9E3779B97F4A7C15ull));
}

// io.plora.kernels.Dropout.drops
bool drops(int64_t row_key, int module, int column, uint32_t threshold) {
    return (drop_bits(row_key, module, column >> 2) >> (16 * (column & 3)) & 0xffff) < threshold;
}

double kept(const LoraCase &c, const plora_term &term, int row, int column) {
    return drops(c.keys[(size_t)row], term.module, column, term.drop_threshold) ? 0 : (double)term.keep_scale;
}

struct Operands {
    std::vector<bf16> x, dy, y, bias, w;  // w: (outputs, inputs), where the frozen product is part of it
    bool accumulate;

    Operands(Random &random, const LoraCase &c)
        : x(random.bf16s((size_t)c.rows * c.inputs, 1)),
          dy(random.bf16s((size_t)c.rows * c.outputs, 1)),
          y(random.bf16s((size_t)c.rows * c.outputs, 1)),
          bias(random.bf16s((size_t)c.outputs, 1)),
          accumulate(random.chance(0.5)) {}
};

struct Results {
    std::vector<bf16> low_rank, y, dx;
    std::vector<std::vector<float>> gradient_a, gradient_b;

    bool same(const Results &o) const {
        bool same = same_bits(low_rank, o.low_rank) && same_bits(y, o.y) && same_bits(dx, o.dx);
        for (size_t i = 0; i < gradient_a.size() && same; i++) {
            same = same_bits(gradient_a[i], o.gradient_a[i]) && same_bits(gradient_b[i], o.gradient_b[i]);
        }
        return same;
    }
};

Results run(const LoraCase &c, const Operands &o) {
    Array<plora_tile> tiles(c.tiles);
    Array<int64_t> keys(c.keys);
    Array<bf16> x(o.x), dy(o.dy), y(o.y.size()), before(o.y), bias(o.bias), dx(o.x.size());
    Array<bf16> low_rank((size_t)c.plan.low_rank_elements);
    Array<char> workspace((size_t)c.plan.workspace_bytes);
    for (size_t i = 0; i < c.terms.size(); i++) {
        c.device_gradient_a[i]->write(c.gradient_a[i]);
        c.device_gradient_b[i]->write(c.gradient_b[i]);
    }
    y.poison();
    const plora_term *terms = c.device_terms->data();
    CHECK_PLORA(plora_lora_shrink(&c.plan, tiles.data(), terms, keys.data(), x.data(), low_rank.data(), workspace.data(), nullptr));
    CHECK_PLORA(plora_lora_expand(&c.plan, tiles.data(), terms, low_rank.data(), y.data(), o.accumulate ? before.data() : nullptr, bias.data(),
                                  nullptr));
    device_wait();
    workspace.poison();
    dx.poison();
    CHECK_PLORA(plora_lora_backward(&c.plan, tiles.data(), terms, keys.data(), x.data(), low_rank.data(), dy.data(), dx.data(),
                                    workspace.data(), nullptr));
    workspace.read();
    Results r = {low_rank.read(), y.read(), dx.read(), {}, {}};
    for (size_t i = 0; i < c.terms.size(); i++) {
        r.gradient_a.push_back(c.device_gradient_a[i]->read());
        r.gradient_b.push_back(c.device_gradient_b[i]->read());
    }
    return r;
}

// One adapter on one part, all loops over all elements.
void expect_term(
    const LoraCase &c, const Operands &o, int adapter, int part, Expected &low_rank, Expected &y, Expected &dx,
    Expected &gradient_a, Expected &gradient_b) {
    const plora_term &term = c.terms[(size_t)c.index(adapter, part)];
    const auto &a = c.a[(size_t)c.index(adapter, part)];
    const auto &b = c.b[(size_t)c.index(adapter, part)];
    std::vector<double> dropped((size_t)c.inputs);
    for (int row = c.starts[(size_t)adapter]; row < c.starts[(size_t)adapter + 1]; row++) {
        for (int i = 0; i < c.inputs; i++) dropped[(size_t)i] = kept(c, term, row, i);
        for (int r = 0; r < term.rank; r++) {
            size_t at = (size_t)(c.low_rank_at(adapter, part, row) + r);
            for (int i = 0; i < c.inputs; i++) {
                low_rank.add(at, number(o.x[(size_t)(row * c.inputs + i)]) * dropped[(size_t)i] * term.scale * number(a[(size_t)(r * c.inputs + i)]));
            }
            double s = low_rank.value[at], ds = 0;
            for (int out = 0; out < c.width(part); out++) {
                size_t y_at = (size_t)(row * c.outputs + c.from[(size_t)part] + out);
                double b_value = number(b[(size_t)(out * term.b_stride + r)]), dy = number(o.dy[y_at]);
                y.add(y_at, s * b_value);
                ds += term.scale * dy * b_value;
                gradient_b.add((size_t)(out * term.rank + r), dy * s);
            }
            for (int i = 0; i < c.inputs; i++) {
                size_t x_at = (size_t)(row * c.inputs + i), a_at = (size_t)(r * c.inputs + i);
                gradient_a.add(a_at, ds * dropped[(size_t)i] * number(o.x[x_at]));
                dx.add(x_at, ds * dropped[(size_t)i] * number(a[a_at]));
            }
        }
    }
}

#ifndef PLORA_EMULATE

// c (m, n) = a b with strides, one element a thread.
__global__ void reference_product(const bf16 *a, const bf16 *b, double *c, int m, int n, int k, int b_k, int b_n) {
    int at = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (at >= m * n) return;
    double sum = 0;
    for (int i = 0; i < k; i++) sum += (double)__bfloat162float(a[at / n * k + i]) * (double)__bfloat162float(b[i * b_k + at % n * b_n]);
    c[at] = sum;
}

// Adds a (rows, k) b to what is expected; b (k, n) has strides. Rows of the list are rounded to bf16 before more is added.
void expect_product(
    const LoraCase &c, int list, Expected &expected, const std::vector<bf16> &a, const std::vector<bf16> &b, int n, int k, int b_k,
    int b_n) {
    Array<bf16> device_a(a), device_b(b);
    Array<double> product(expected.value.size());
    if (c.rows > 0) {
        int blocks = (c.rows * n + 255) / 256;
        reference_product<<<blocks, 256>>>(device_a.data(), device_b.data(), product.data(), c.rows, n, k, b_k, b_n);
    }
    CHECK_CUDA(cudaGetLastError());
    std::vector<bool> twice((size_t)c.rows);
    for (int i = 0; i < c.plan.count[list]; i++) {
        const plora_tile &t = c.tiles[(size_t)(c.plan.first[list] + i)];
        for (int row = t.row; row < t.row + t.rows; row++) twice[(size_t)row] = true;
    }
    std::vector<double> products = product.read();
    for (size_t i = 0; i < products.size(); i++) {
        expected.value[i] += products[i];
        expected.doubt(i, 1e-3);  // f32 sums of values around 1
        if (twice[i / (size_t)n]) expected.round(i, products[i]);
    }
}

// With the frozen products in the same kernels.
Results run_linear(const LoraCase &c, const Operands &o) {
    Array<plora_tile> tiles(c.tiles);
    Array<int64_t> keys(c.keys);
    Array<bf16> x(o.x), dy(o.dy), w(o.w), y(o.y.size()), bias(o.bias), dx(o.x.size()), low_rank((size_t)c.plan.low_rank_elements);
    Array<char> workspace((size_t)c.plan.workspace_bytes);
    for (size_t i = 0; i < c.terms.size(); i++) {
        c.device_gradient_a[i]->write(c.gradient_a[i]);
        c.device_gradient_b[i]->write(c.gradient_b[i]);
    }
    if (o.accumulate) y.write(o.y);
    const plora_term *terms = c.device_terms->data();
    const bf16 *add = o.accumulate ? y.data() : nullptr;
    CHECK_PLORA(plora_lora_linear(&c.plan, tiles.data(), terms, keys.data(), x.data(), w.data(), y.data(), add, bias.data(),
                                  low_rank.data(), workspace.data(), nullptr));
    device_wait();
    workspace.poison();
    CHECK_PLORA(plora_lora_linear_backward(&c.plan, tiles.data(), terms, x.data(), dy.data(), w.data(), dx.data(), low_rank.data(),
                                           workspace.data(), nullptr));
    workspace.read();
    Results r = {low_rank.read(), y.read(), dx.read(), {}, {}};
    for (size_t i = 0; i < c.terms.size(); i++) {
        r.gradient_a.push_back(c.device_gradient_a[i]->read());
        r.gradient_b.push_back(c.device_gradient_b[i]->read());
    }
    return r;
}

#endif

void check(const LoraCase &c, const Operands &o, const Results &got) {
    Expected low_rank(got.low_rank.size()), y(got.y.size()), dx(got.dx.size());
    for (int row = 0; row < c.rows; row++) {
        for (int out = 0; out < c.outputs; out++) {
            size_t at = (size_t)(row * c.outputs + out);
            y.add(at, number(o.bias[(size_t)out]));
            if (o.accumulate) y.add(at, number(o.y[at]));
        }
    }
#ifndef PLORA_EMULATE
    if (!o.w.empty()) {
        int afterwards = c.plan.count[PLORA_LINEAR_SHRINK] > 0 ? PLORA_EXPAND : PLORA_MIXED_EXPAND;
        expect_product(c, afterwards, y, o.x, o.w, c.outputs, c.inputs, 1, c.inputs);
        expect_product(c, PLORA_MIXED_GRADIENT_X, dx, o.dy, o.w, c.inputs, c.outputs, c.inputs, 1);
    }
#endif
    for (int adapter = 0; adapter < c.adapters; adapter++) {
        for (int part = 0; part < c.parts; part++) {
            size_t i = (size_t)c.index(adapter, part);
            double kept = c.overwrites[(size_t)adapter] ? 0 : 1;
            Expected gradient_a(c.gradient_a[i].size()), gradient_b(c.gradient_b[i].size());
            for (size_t e = 0; e < c.gradient_a[i].size(); e++) gradient_a.start(e, kept * c.gradient_a[i][e]);
            for (size_t e = 0; e < c.gradient_b[i].size(); e++) gradient_b.start(e, kept * c.gradient_b[i][e]);
            expect_term(c, o, adapter, part, low_rank, y, dx, gradient_a, gradient_b);
            compare("gradient_a", got.gradient_a[i], gradient_a, F32, TERMS);
            compare("gradient_b", got.gradient_b[i], gradient_b, F32, TERMS);
        }
    }
    for (size_t at = 0; at < y.value.size() && o.accumulate && !o.w.empty(); at++) {
        y.round(at, y.value[at] - number(o.y[at]));  // before the residual is added
        y.round(at, y.value[at]);                    // before low-rank terms, where they follow
    }
    compare("low_rank", got.low_rank, low_rank, BF16, F32);
    compare("y", got.y, y, BF16, TERMS);
    compare("dx", got.dx, dx, BF16, TERMS);
}

// All that belongs to other adapters than the ill one has the bits that it has when that one is healthy.
void expect_others_same(const LoraCase &c, int ill, const Results &healthy, const Results &got, int shape) {
    for (int row = 0; row < c.rows; row++) {
        if (row >= c.starts[(size_t)ill] && row < c.starts[(size_t)ill + 1]) continue;
        REQUIRE(memcmp(&got.y[(size_t)(row * c.outputs)], &healthy.y[(size_t)(row * c.outputs)], (size_t)c.outputs * 2) == 0
                    && memcmp(&got.dx[(size_t)(row * c.inputs)], &healthy.dx[(size_t)(row * c.inputs)], (size_t)c.inputs * 2) == 0,
                "shape %d: row %d sees the NaN of adapter %d", shape, row, ill);
    }
    for (int t = 0; t < c.adapters * c.parts; t++) {
        REQUIRE(t / c.parts == ill || (same_bits(got.gradient_a[(size_t)t], healthy.gradient_a[(size_t)t])
                                       && same_bits(got.gradient_b[(size_t)t], healthy.gradient_b[(size_t)t])),
                "shape %d: gradients of adapter %d see the NaN of adapter %d", shape, t / c.parts, ill);
    }
}

bool covers_once(const LoraCase &c, int list, int columns) {
    std::vector<int> written((size_t)c.rows * columns);
    for (int i = 0; i < c.plan.count[list]; i++) {
        const plora_tile &t = c.tiles[(size_t)(c.plan.first[list] + i)];
        for (int row = t.row; row < t.row + t.rows; row++) {
            for (int column = t.column; column < t.column + t.columns; column++) written[(size_t)(row * columns + column)]++;
        }
    }
    return std::all_of(written.begin(), written.end(), [](int n) { return n == 1; });
}

// Whether each low-rank column of each row is in one slice of plora_lora_linear, or the row is left for afterwards.
bool takes_low_rank_once(const LoraCase &c) {
    std::vector<int> taken((size_t)c.plan.low_rank_elements);
    for (int list : {PLORA_LINEAR_SLICES, PLORA_MIXED_EXPAND}) {
        for (int i = 0; i < c.plan.count[list]; i++) {
            const plora_tile &t = c.tiles[(size_t)(c.plan.first[list] + i)];
            for (int row = 0; row < t.rows && t.column == t.part_column; row++) {
                for (int rank = 0; rank < t.ranks; rank++) taken[(size_t)(t.low_rank + row * t.stride + t.rank + rank)]++;
            }
        }
    }
    return std::all_of(taken.begin(), taken.end(), [](int n) { return n == 1; });
}

// Whether the tiles of a list, which take steps of a width along columns of their own, some by turns, cover these once for all low-rank
// columns that the list has. Those of shrink have rows of their own, others all rows of an adapter.
template <typename Columns>
bool takes_once(const LoraCase &c, int list, int width, Columns columns_of) {
    std::map<std::vector<int>, std::vector<int>> taken;  // by adapter, first row and first low-rank column
    for (int i = 0; i < c.plan.count[list]; i++) {
        const plora_tile &t = c.tiles[(size_t)(c.plan.first[list] + i)];
        auto [from, to] = columns_of(t);
        std::vector<int> &columns = taken[{t.adapter, t.row, t.rank}];
        columns.resize((size_t)(to - from));
        for (int step = 0; step < t.columns; step += t.turns * width) {
            for (int column = step; column < std::min(step + width, t.columns); column++) {
                REQUIRE(t.column + column >= from && t.column + column < to, "column %d of %d..%d", t.column + column, from, to);
                columns[(size_t)(t.column + column - from)]++;
            }
        }
    }
    return std::all_of(taken.begin(), taken.end(), [](const auto &of) {
        return std::all_of(of.second.begin(), of.second.end(), [](int n) { return n == 1; });
    });
}

bool takes_inputs_once(const LoraCase &c, int list, int width) {
    return takes_once(c, list, width, [&](const plora_tile &) { return std::pair(0, c.inputs); });
}

bool takes_outputs_once(const LoraCase &c, int list) {
    return takes_once(c, list, GRADIENT_B_COLUMNS, [&](const plora_tile &t) {
        return std::pair(c.from[(size_t)t.part], c.to[(size_t)t.part]);
    });
}

// The slices of dB in a list: adapter and first low-rank column.
std::set<std::pair<int, int>> slices_in(const LoraCase &c, int list) {
    std::set<std::pair<int, int>> slices;
    for (int i = 0; i < c.plan.count[list]; i++) {
        const plora_tile &t = c.tiles[(size_t)(c.plan.first[list] + i)];
        slices.insert({t.adapter, t.rank});
    }
    return slices;
}

bool in(const LoraCase &c, int list, int tile) {
    return tile >= c.plan.first[list] && tile < c.plan.first[list] + c.plan.count[list];
}

// 32 adapters of rank 64 with so many rows each.
plora_lora_plan plan_of_h100(int rows, int inputs, int outputs) {
    constexpr int ADAPTERS = 32;
    int32_t from = 0;
    std::vector<int32_t> starts, ranks(ADAPTERS, 64), drops(ADAPTERS, 0);
    for (int i = 0; i <= ADAPTERS; i++) starts.push_back(i * rows);
    plora_lora_shape shape = {ADAPTERS, 1, inputs, outputs, starts.data(), &from, &outputs, ranks.data(), drops.data(), nullptr};
    plora_device device = {90, 132, 227 * 1024};
    plora_lora_plan plan;
    CHECK_PLORA(plora_lora_make_plan(&shape, &device, &plan, nullptr, 0));
    return plan;
}

}  // namespace

// What io.plora.kernels.Dropout gives for rowKey(42, 3, 1, 7, 11).
void test_dropout(Random &, int) {
    int64_t key = 0x5d7d87396eb019fb;
    REQUIRE(drop_bits(key, 5, 9) == 0x716f05266774bb6cull, "the reference differs from Java");
    REQUIRE(drop_bits(key, 1000, 123456) == 0x8395bf45f16b8339ull, "the reference differs from Java");
}

// What needs no GPU: every element of y and dx belongs to exactly one tile, partial sums lie within the workspace.
void test_lora_plan(Random &random, int shapes) {
    int beside = 0;  // plans with dB beside the product
    for (int i = 0; i < shapes; i++) {
        LoraCase c(random, random.chance(0.5), 400, 256);
        REQUIRE(covers_once(c, PLORA_EXPAND, c.outputs), "shape %d", i);
        REQUIRE(covers_once(c, PLORA_GRADIENT_X, c.inputs), "shape %d", i);
        REQUIRE(c.plan.cluster_rows > 0 || takes_low_rank_once(c), "shape %d", i);
        REQUIRE(takes_inputs_once(c, PLORA_SHRINK, SHRINK_DEPTH), "shape %d", i);
        REQUIRE(c.plan.count[PLORA_LINEAR_SHRINK] == 0 || takes_inputs_once(c, PLORA_LINEAR_SHRINK, SHRINK_DEPTH), "shape %d", i);
        REQUIRE(takes_inputs_once(c, PLORA_GRADIENT_A, GRADIENT_A_COLUMNS), "shape %d", i);
        REQUIRE(takes_inputs_once(c, PLORA_LINEAR_GRADIENT_A, GRADIENT_A_COLUMNS), "shape %d", i);
        REQUIRE(takes_outputs_once(c, PLORA_GRADIENT_B) && takes_outputs_once(c, PLORA_LINEAR_GRADIENT_B), "shape %d", i);
        bool b_beside = c.plan.count[PLORA_LINEAR_GRADIENT_B] > 0;
        REQUIRE(!b_beside || slices_in(c, PLORA_LINEAR_GRADIENT_B) == slices_in(c, PLORA_GRADIENT_B), "shape %d", i);
        beside += b_beside ? 1 : 0;
        REQUIRE(c.plan.cluster_rows == 0 || c.plan.count[PLORA_SHRINK] == c.plan.count[PLORA_GRADIENT_S], "shape %d", i);
        for (int n = 0; n < c.plan.tiles; n++) {
            const plora_tile &t = c.tiles[(size_t)n];
            bool sums = in(c, PLORA_SHRINK_REDUCE, n) || in(c, PLORA_GRADIENT_REDUCE, n);
            int64_t end = t.partial + (sums ? t.split_stride * (t.splits - 1) : 0) + (int64_t)t.rows * t.ranks;
            REQUIRE(t.partial < 0 || end * 4 + c.plan.low_rank_elements * 2 <= c.plan.workspace_bytes, "shape %d", i);
            REQUIRE((t.rows > 0 || t.overwrite) && t.row >= 0 && t.row + t.rows <= c.rows, "shape %d", i);
        }
    }
    REQUIRE(beside > 0 || shapes < 40, "no plan of %d has gradient b beside the product", shapes);
}

// Where shrink and gradients run beside the frozen products, on an H100.
void test_lora_plan_beside(Random &, int) {
    plora_lora_plan both = plan_of_h100(64, 18944, 3584);
    REQUIRE(both.count[PLORA_LINEAR_SHRINK] == 32 && both.linear_clusters == 56, "two turns leave 20 multiprocessors to shrink");
    REQUIRE(both.linear_backward_clusters == 60, "ten turns leave 12 multiprocessors to gradient a");
    plora_lora_plan square = plan_of_h100(64, 3584, 3584), many_rows = plan_of_h100(256, 18944, 3584);
    REQUIRE(square.count[PLORA_LINEAR_SHRINK] == 0, "the pass over Y costs as much as shrink");
    REQUIRE(many_rows.count[PLORA_LINEAR_SHRINK] == 0, "seven turns of 64 clusters leave too few multiprocessors");
    for (const plora_lora_plan &plan : {square, many_rows}) REQUIRE(plan.linear_backward_clusters == 66, "a turn more takes too long");
    plora_lora_plan wide = plan_of_h100(64, 3584, 18944);
    REQUIRE(wide.count[PLORA_LINEAR_GRADIENT_B] > 0 && wide.linear_backward_clusters == 56, "two turns leave 20 multiprocessors to both");
    REQUIRE(wide.count[PLORA_GRADIENT_B] == 256, "32 segments in eight spans, as two blocks on each of 132 multiprocessors hold");
    for (const plora_lora_plan &plan : {both, square, many_rows, plan_of_h100(256, 3584, 18944)}) {
        REQUIRE(plan.count[PLORA_LINEAR_GRADIENT_B] == 0, "20 multiprocessors or fewer have no time for both");
    }
    REQUIRE(plan_of_h100(0, 18944, 3584).linear_clusters == 0, "there are no rows");
}

void check_twice(Random &random, const LoraCase &c, int shape) {
    Operands o(random, c);
    Results got = run(c, o);
    check(c, o, got);
    Results again = std::async(std::launch::async, [&] { return run(c, o); }).get();
    REQUIRE(got.same(again), "shape %d differs on the second run, in another thread", shape);
}

void test_lora(Random &random, int shapes) {
    for (int i = 0; i < shapes; i++) {
        check_twice(random, LoraCase(random, random.chance(0.5), random.one_of({32, 200, 600}), random.one_of({16, 64, 256})), i);
    }
}

// Few rows with S and dS by clusters, and sums so long that blocks reuse their memory.
void test_lora_few(Random &random, int shapes) {
    for (int i = 0, clusters = 0; clusters < shapes / 8 + 1; i++) {
        LoraCase c(random, random.chance(0.5), random.one_of({600, 9000}), random.one_of({16, 64}), random.one_of({16, 64, 130}));
        if (c.plan.cluster_rows == 0) continue;
        clusters++;
        check_twice(random, c, i);
    }
}

// NaN in one segment must leave the bits of all others as they are.
void test_lora_nan(Random &random, int shapes) {
    for (int i = 0; i < shapes / 10 + 1; i++) {
        LoraCase c(random, false, 200, 64);
        Operands o(random, c), sick = o;
        int ill = random.within(0, c.adapters - 1);
        int first = c.starts[(size_t)ill], end = c.starts[(size_t)ill + 1];
        for (int at = first * c.inputs; at < end * c.inputs; at++) sick.x[(size_t)at] = __float2bfloat16(NAN);
        for (int at = first * c.outputs; at < end * c.outputs; at++) sick.dy[(size_t)at] = __float2bfloat16(NAN);
        expect_others_same(c, ill, run(c, o), run(c, sick), i);
    }
}

#ifndef PLORA_EMULATE

bool runs_linear(const char *test) {
    plora_device device;
    CHECK_PLORA(plora_device_query(&device));
    bool runs = device.compute_capability == 90;
    if (!runs) printf("{\"test\": \"%s\", \"skipped\": \"compute capability %d is not 90\"}\n", test, device.compute_capability);
    return runs;
}

void test_lora_linear(Random &random, int shapes) {
    if (!runs_linear("lora_linear")) return;
    for (int i = 0; i < shapes; i++) {
        LoraCase c(random, false, random.one_of({32, 200, 600, 1000}), random.one_of({16, 64, 256}));
        Operands o(random, c);
        o.w = random.bf16s((size_t)c.outputs * c.inputs, 1 / sqrtf((float)c.inputs));
        if (c.plan.cluster_rows > 0) continue;
        Results got = run_linear(c, o);
        check(c, o, got);
        REQUIRE(got.same(run_linear(c, o)), "shape %d differs on the second run", i);
    }
}

// Blocks that take several tiles of short sums: their low-rank steps come first, some without a slice for a warpgroup. Many runs,
// as warpgroups are apart by chance; one that misses a turn waits for ever.
void test_lora_linear_turns(Random &random, int shapes) {
    constexpr int CLUSTERS = 66, SIDE = 256, RUNS = 50;
    if (!runs_linear("lora_linear_turns")) return;
    for (int i = 0, turns = 0; turns < shapes / 50 + 1; i++) {
        LoraCase c(random, false, 4000, 64, 1 << 20, SIDE);
        int tiles = ((c.rows + SIDE - 1) / SIDE) * ((c.outputs + SIDE - 1) / SIDE);
        if (c.plan.cluster_rows > 0 || c.plan.linear_steps == 0 || tiles <= CLUSTERS) continue;
        turns++;
        Operands o(random, c);
        o.w = random.bf16s((size_t)c.outputs * c.inputs, 1 / sqrtf((float)c.inputs));
        Results got = run_linear(c, o);
        check(c, o, got);
        for (int run = 0; run < RUNS; run++) REQUIRE(got.same(run_linear(c, o)), "shape %d differs on run %d", i, run + 2);
    }
}

// NaN in the weights of one adapter must leave the bits of all others as they are.
void test_lora_linear_nan(Random &random, int shapes) {
    if (!runs_linear("lora_linear_nan")) return;
    for (int i = 0; i < shapes / 10 + 1; i++) {
        LoraCase c(random, false, 400, 64);
        if (c.plan.cluster_rows > 0) continue;
        Operands o(random, c);
        o.w = random.bf16s((size_t)c.outputs * c.inputs, 1 / sqrtf((float)c.inputs));
        Results healthy = run_linear(c, o);
        int ill = random.within(0, c.adapters - 1);
        for (int t = ill * c.parts; t < (ill + 1) * c.parts; t++) {
            c.device_a[(size_t)t]->poison();
            c.device_b[(size_t)t]->poison();
        }
        expect_others_same(c, ill, healthy, run_linear(c, o), i);
    }
}

#endif
