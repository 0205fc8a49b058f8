// One frozen linear layer with many adapters: `lora_bench [path of libcublas, or -] [cases]`, cases such as
// 32x64x16:3584x3584 (adapters x tokens each x rank, mixed for ranks 8..128 : inputs x outputs), one JSON row each.
//
// base: the frozen layer alone, y = x W^T and dx = dy W. packed: the same and the low-rank terms, forward and backward, the
// faster of in order (low-rank terms first) and one kernel (plora_lora_linear and its backward). Gradients are overwritten, as the
// first micro-batch of a step does and as the baselines do; adding: they are added to. lora: the low-rank terms alone. Bytes: what packed moves more
// than base if each operand moves once in each pass that needs it, in the order that is fastest; fraction: those bytes over the
// time that packed takes more, to the measured copy bandwidth. No dropout, as in the baselines.
//
// `lora_bench PATH calls CASES` times each call alone, [once with a cold L2 cache, repeated in a graph] (gradients: backward without
// dx); `lora_bench PATH once CASES` runs each once, for a profiler.
#include <memory>

#include "bench.h"
#include "blas.h"
#include "frozen.h"

namespace {

struct Case {
    int adapters, tokens, rank, inputs, outputs;
};

struct Layer {
    Case c;
    int rows;
    std::vector<int32_t> starts{0}, ranks, drops, overwrites, from{0}, to;
    std::vector<std::unique_ptr<Array<bf16>>> matrices;
    std::vector<std::unique_ptr<Array<float>>> gradients;
    std::vector<plora_term> terms;
    plora_lora_plan plan;
    std::unique_ptr<Array<plora_term>> device_terms;
    std::unique_ptr<Array<plora_tile>> tiles, accumulating_tiles;
    std::unique_ptr<Array<char>> workspace;
    std::unique_ptr<Array<bf16>> x, w, y, dy, dx, low_rank;
    int64_t rank_sum = 0;

    Layer(const Case &of, Random &random) : c(of), rows(of.adapters * of.tokens), to{of.outputs} {
        for (int i = 0; i < c.adapters; i++) {
            starts.push_back(starts.back() + c.tokens);
            ranks.push_back(c.rank > 0 ? c.rank : 8 << i % 5);
            drops.push_back(0);
            overwrites.push_back(1);
            rank_sum += ranks.back();
            add_term(random, ranks.back());
        }
        device_terms = std::make_unique<Array<plora_term>>(terms);
        x = tensor(random, rows, c.inputs, 1);
        dy = tensor(random, rows, c.outputs, 1);
        w = tensor(random, c.outputs, c.inputs, 1 / sqrtf((float)c.inputs));
        y = std::make_unique<Array<bf16>>((size_t)rows * c.outputs);
        dx = std::make_unique<Array<bf16>>((size_t)rows * c.inputs);
        make_plan();
    }

    // Random values, repeated: as good as new ones to a kernel, and fast to draw.
    static std::unique_ptr<Array<bf16>> tensor(Random &random, int64_t m, int64_t n, float scale) {
        std::vector<bf16> some = random.bf16s(99991, scale), all((size_t)(m * n));
        for (size_t i = 0; i < all.size(); i += some.size()) {
            std::copy_n(some.begin(), std::min(some.size(), all.size() - i), all.begin() + (long)i);
        }
        return std::make_unique<Array<bf16>>(all);
    }

    void add_term(Random &random, int rank) {
        matrices.push_back(tensor(random, rank, c.inputs, 1 / sqrtf((float)c.inputs)));
        matrices.push_back(tensor(random, c.outputs, rank, 1));
        for (int64_t size : {(int64_t)rank * c.inputs, (int64_t)rank * c.outputs}) {
            gradients.push_back(std::make_unique<Array<float>>(std::vector<float>((size_t)size, 0.0f)));
        }
        size_t i = matrices.size();
        terms.push_back({matrices[i - 2]->data(), matrices[i - 1]->data(), gradients[i - 2]->data(), gradients[i - 1]->data(),
                         rank, rank, 1.0f, 0, 1.0f, 0});
    }

    std::unique_ptr<Array<plora_tile>> make_tiles(const int32_t *overwrite) {
        plora_device device;
        CHECK_PLORA(plora_device_query(&device));
        plora_lora_shape shape = {c.adapters,  1,         c.inputs,     c.outputs,    starts.data(),
                                  from.data(), to.data(), ranks.data(), drops.data(), overwrite};
        CHECK_PLORA(plora_lora_make_plan(&shape, &device, &plan, nullptr, 0));
        std::vector<plora_tile> host((size_t)plan.tiles);
        CHECK_PLORA(plora_lora_make_plan(&shape, &device, &plan, host.data(), plan.tiles));
        return std::make_unique<Array<plora_tile>>(host);
    }

    void make_plan() {
        accumulating_tiles = make_tiles(nullptr);
        tiles = make_tiles(overwrites.data());
        workspace = std::make_unique<Array<char>>((size_t)plan.workspace_bytes);
        low_rank = std::make_unique<Array<bf16>>((size_t)plan.low_rank_elements);
    }

    void shrink(cudaStream_t s) const {
        CHECK_PLORA(plora_lora_shrink(&plan, tiles->data(), device_terms->data(), nullptr, x->data(), low_rank->data(),
                                      workspace->data(), s));
    }

    void expand(bool accumulate, cudaStream_t s) const {
        CHECK_PLORA(plora_lora_expand(&plan, tiles->data(), device_terms->data(), low_rank->data(), y->data(), accumulate ? y->data() : nullptr,
                                      nullptr, s));
    }

    const plora_tile *backward_tiles(bool add) const { return add ? accumulating_tiles->data() : tiles->data(); }

    void backward(bool add, bool with_dx, cudaStream_t s) const {
        CHECK_PLORA(plora_lora_backward(&plan, backward_tiles(add), device_terms->data(), nullptr, x->data(), low_rank->data(), dy->data(),
                                        with_dx ? dx->data() : nullptr, workspace->data(), s));
    }

    void linear(cudaStream_t s) const {
        CHECK_PLORA(plora_lora_linear(&plan, tiles->data(), device_terms->data(), nullptr, x->data(), w->data(), y->data(), nullptr, nullptr,
                                      low_rank->data(), workspace->data(), s));
    }

    void linear_backward(bool add, cudaStream_t s) const {
        CHECK_PLORA(plora_lora_linear_backward(&plan, backward_tiles(add), device_terms->data(), x->data(), dy->data(), w->data(),
                                               dx->data(), low_rank->data(), workspace->data(), s));
    }

    void frozen(plora_blas *blas, float beta, cudaStream_t stream) const {
        CHECK_PLORA(plora_linear(blas, x->data(), w->data(), y->data(), rows, c.inputs, c.outputs, beta, stream));
    }

    void frozen_backward(plora_blas *blas, float beta, cudaStream_t stream) const {
        CHECK_PLORA(plora_linear_backward(blas, dy->data(), w->data(), dx->data(), rows, c.inputs, c.outputs, beta, stream));
    }

    // X twice, dY, twice where dS and dB take it apart; Y and dX written and read again unless the frozen product has their low-rank
    // terms in it; A and B twice; their gradients written.
    double bytes(bool one_kernel) const {
        bool y_again = !one_kernel || plan.count[PLORA_LINEAR_SHRINK] > 0, dx_again = !one_kernel;
        double again = (y_again ? 2.0 * c.outputs : 0) + (dx_again ? 2.0 * c.inputs : 0);
        double gradients = one_kernel && plan.count[PLORA_LINEAR_GRADIENT_B] > 0 ? 2.0 * c.outputs : c.outputs;
        double activations = 2.0 * rows * (2.0 * c.inputs + gradients + again);
        double adapters = (double)rank_sum * (c.inputs + c.outputs) * (2 * 2 + 4);
        return activations + adapters;
    }
};

void measure(Bench &bench, plora_blas *blas, const Case &c, double bandwidth) {
    Random random(1);
    Layer layer(c, random);
    using Stream = cudaStream_t;
    auto base = [&](Stream s) { layer.frozen(blas, 0, s), layer.frozen_backward(blas, 0, s); };
    auto forward = [&](Stream s) { layer.shrink(s), layer.expand(false, s); };
    auto in_order = [&](Stream s, bool add) {
        forward(s), layer.frozen(blas, 1, s), layer.backward(add, true, s), layer.frozen_backward(blas, 1, s);
    };
    bool can_be_one = layer.plan.cluster_rows == 0;
    auto one_kernel = [&](Stream s) {
        if (can_be_one) layer.linear(s), layer.linear_backward(false, s);
    };
    auto t = bench.compare(
        {base, [&](Stream s) { in_order(s, false); }, one_kernel, [&](Stream s) { in_order(s, true); }, forward,
         [&](Stream s) { layer.backward(false, true, s); }},
        15, 10);
    bool one = can_be_one && t[2].graph < t[1].graph;
    int best = one ? 2 : 1;
    double extra = (t[best].graph - t[0].graph) / 1e3;
    printf("{\"adapters\": %d, \"tokens_each\": %d, \"rank\": ", c.adapters, c.tokens);
    printf(c.rank > 0 ? "%d" : "\"8..128\"", c.rank);
    printf(", \"in\": %d, \"out\": %d, \"base\": %.4f, \"base_graph\": %.4f, \"packed\": %.4f, \"packed_graph\": %.4f, "
           "\"ratio_graph\": %.3f, \"order\": \"%s\", ",
           c.inputs, c.outputs, t[0].plain, t[0].graph, t[best].plain, t[best].graph, t[best].graph / t[0].graph,
           one ? "one kernel" : "in order");
    printf("\"in_order_graph\": %.4f, ", t[1].graph);
    if (can_be_one) printf("\"one_kernel_graph\": %.4f, ", t[2].graph);
    printf("\"in_order_adding_graph\": %.4f, \"lora_forward_graph\": %.4f, \"lora_backward_graph\": %.4f, \"bytes\": %.0f, "
           "\"fraction\": %.3f}\n",
           t[3].graph, t[4].graph, t[5].graph, layer.bytes(one), layer.bytes(one) / bandwidth / extra);
    fflush(stdout);
}

// Each call alone, repeated in a graph.
void measure_calls(Bench &bench, plora_blas *blas, const Case &c) {
    Random random(1);
    Layer layer(c, random);
    using Stream = cudaStream_t;
    std::vector<const char *> names = {"frozen", "frozen_backward", "shrink", "expand", "backward", "gradients"};
    std::vector<std::function<void(Stream)>> calls = {
        [&](Stream s) { layer.frozen(blas, 0, s); }, [&](Stream s) { layer.frozen_backward(blas, 0, s); },
        [&](Stream s) { layer.shrink(s); }, [&](Stream s) { layer.expand(false, s); },
        [&](Stream s) { layer.backward(false, true, s); }, [&](Stream s) { layer.backward(false, false, s); }};
    if (layer.plan.cluster_rows == 0) {
        names.insert(names.end(), {"linear", "linear_backward"});
        calls.push_back([&](Stream s) { layer.linear(s); });
        calls.push_back([&](Stream s) { layer.linear_backward(false, s); });
    }
    auto t = bench.compare(calls, 7, 10);
    printf("{\"adapters\": %d, \"tokens_each\": %d, \"rank\": %d, \"in\": %d, \"out\": %d", c.adapters, c.tokens, c.rank, c.inputs,
           c.outputs);
    for (size_t i = 0; i < t.size(); i++) printf(", \"%s\": [%.4f, %.4f]", names[i], t[i].plain, t[i].graph);
    printf("}\n");
    fflush(stdout);
}

// One way to cut a frozen product: columns of a tile, pieces of the sum, KiB of the rings.
struct Cut {
    int width, splits, kilobytes;
};

plora::FrozenPlan plan_of(const Cut &cut, int rows) {
    plora::FrozenPlan plan;
    plan.tokens = rows <= 32 ? 32 : rows <= 64 ? 64 : rows <= 128 ? 128 : 256;
    plan.groups = (cut.width + 127) / 128;
    plan.width = cut.width;
    plan.splits = cut.splits;
    plan.x_stages = plan.tokens == 256 ? 3 : 4;
    plan.weight_stages = std::min(plora::FROZEN_STAGES, (cut.kilobytes * 1024 / 128 - plan.x_stages * plan.tokens) / plan.width);
    return plan;
}

// A frozen product alone and behind a norm and the low-rank terms, by cuBLAS and cut in some ways; weights come from memory.
void measure_frozen(Bench &bench, plora_blas *blas, const Case &c, bool backward, const std::vector<Cut> &cuts, double bandwidth) {
    Random random(1);
    Layer layer(c, random);
    size_t elements = (size_t)c.inputs * (size_t)c.outputs;
    int copies = std::max(2, (int)((200u << 20) / (elements * 2) + 1));
    std::vector<std::unique_ptr<Array<bf16>>> weights;
    for (int i = 0; i < copies; i++) {
        weights.push_back(std::make_unique<Array<bf16>>(elements));
        device_copy(weights.back()->data(), layer.w->data(), elements * 2);
    }
    Array<float> inverse((size_t)layer.rows);
    auto norm_weight = Layer::tensor(random, 1, std::max(c.inputs, c.outputs), 1);
    int turn = 0;
    bf16 *x = backward ? layer.dy->data() : layer.x->data(), *y = backward ? layer.dx->data() : layer.y->data();
    int depth = backward ? c.outputs : c.inputs, columns = backward ? c.inputs : c.outputs;
    Array<bf16> before((size_t)layer.rows * (size_t)depth);
    using Stream = cudaStream_t;
    auto small = [&](Stream s) {
        CHECK_PLORA(plora_rms_norm(before.data(), norm_weight->data(), 1e-6f, x, inverse.data(), layer.rows, depth, s));
        if (backward) {
            layer.backward(false, true, s);
        } else {
            layer.shrink(s), layer.expand(false, s);
        }
    };
    auto by_blas = [&](float beta, Stream s) {
        const bf16 *w = weights[(size_t)(turn++ % copies)]->data();
        CHECK_PLORA(plora::blas_product(blas, backward, x, depth, w, y, layer.rows, columns, depth, beta, s));
    };
    auto own = [&](const Cut &cut, float beta, Stream s) {
        const bf16 *w = weights[(size_t)(turn++ % copies)]->data();
        CHECK_PLORA(plora::frozen_product(plan_of(cut, layer.rows), backward, x, depth, w, y, layer.rows, columns, depth, beta, s));
    };
    std::vector<std::function<void(Stream)>> ways{
        small, [&](Stream s) { by_blas(1, s); }, [&](Stream s) { small(s), by_blas(1, s); }};
    for (const Cut &cut : cuts) {
        ways.push_back([&own, cut](Stream s) { own(cut, 1, s); });
        ways.push_back([&own, &small, cut](Stream s) { small(s), own(cut, 1, s); });
    }
    auto t = bench.compare(ways, 9, 16);
    double least = (double)elements * 2 / bandwidth * 1e3;
    printf("{\"rows\": %d, \"in\": %d, \"out\": %d, \"backward\": %d, \"small\": %.4f, \"cublas\": %.4f, \"fraction\": %.3f, "
           "\"behind_small\": %.4f",
           layer.rows, c.inputs, c.outputs, backward, t[0].graph, t[1].graph, least / t[1].graph, t[2].graph);
    for (size_t i = 0; i < cuts.size(); i++) {
        printf(",\n    \"%d.%d.%d\": %.4f, \"fraction\": %.3f, \"behind_small\": %.4f", cuts[i].width, cuts[i].splits,
               cuts[i].kilobytes, t[3 + 2 * i].graph, least / t[3 + 2 * i].graph, t[4 + 2 * i].graph);
    }
    printf("}\n");
    fflush(stdout);
}

void run_once(const Case &c) {
    Random random(1);
    Layer layer(c, random);
    layer.shrink(nullptr), layer.expand(true, nullptr), layer.backward(false, true, nullptr);
    if (layer.plan.cluster_rows == 0) layer.linear(nullptr), layer.linear_backward(false, nullptr);
    device_wait();
}

}  // namespace

int main(int count, char **arguments) {
    const char *library = count > 1 && strcmp(arguments[1], "-") != 0 ? arguments[1] : nullptr;
    Array<char> workspace(64 << 20);
    plora_blas *blas;
    CHECK_PLORA(plora_blas_create(library, workspace.data(), 64 << 20, &blas));
    Bench bench;
    double bandwidth = bench.copy_bandwidth();
    cudaDeviceProp properties;
    CHECK_CUDA(cudaGetDeviceProperties(&properties, 0));
    printf("{\"gpu\": \"%s\", \"cublas\": %d, \"copy_bandwidth\": %.4g}\n", properties.name, plora_blas_version(blas), bandwidth);
    std::string mode = count > 2 && strchr(arguments[2], ':') == nullptr ? arguments[2] : "";
    for (int i = mode.empty() ? 2 : 3; i < count; i++) {
        Case c;
        char rank[16];
        REQUIRE(sscanf(arguments[i], "%dx%dx%15[0-9mixed]:%dx%d", &c.adapters, &c.tokens, rank, &c.inputs, &c.outputs) == 5, "%s",
                arguments[i]);
        c.rank = atoi(rank);
        if (mode == "calls") {
            measure_calls(bench, blas, c);
        } else if (mode == "frozen" || mode == "frozen_backward") {
            std::vector<Cut> cuts;
            for (Cut cut; i + 1 < count && sscanf(arguments[i + 1], "%d.%d.%d", &cut.width, &cut.splits, &cut.kilobytes) == 3; i++) {
                cuts.push_back(cut);
            }
            measure_frozen(bench, blas, c, mode == "frozen_backward", cuts, bandwidth);
        } else if (mode == "once") {
            run_once(c);
        } else {
            measure(bench, blas, c, bandwidth);
        }
    }
    CHECK_PLORA(plora_blas_destroy(blas));
}
