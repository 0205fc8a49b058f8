// The rest of a training step: `step_bench [path of libcublas, or -] [once]`, one JSON row for each operation and size. `once` runs
// each operation once, for a profiler.
//
// Bytes: what has to move once; fraction: those over time and measured copy bandwidth. Where arithmetic is the limit, flops and
// TFLOP/s instead. Times are medians in milliseconds, plain with a cold L2 cache and as a replayed graph.
#include <stdarg.h>

#include <memory>

#include "bench.h"

namespace {

using Way = std::function<void(cudaStream_t)>;

struct Report {
    Bench bench;
    bool once;
    double bandwidth = bench.copy_bandwidth();

    explicit Report(bool run_once) : once(run_once) {}

    static void run(const char *operation, const std::string &size, const char *what, double amount, const Way &way) {
        way(nullptr);
        device_wait();
        printf("{\"operation\": \"%s\", %s, \"%s\": %.4g}\n", operation, size.c_str(), what, amount);
    }

    void moved(const char *operation, const std::string &size, double bytes, const Way &way) {
        if (once) return run(operation, size, "bytes", bytes, way);
        Timing t = bench.compare({way}, 15, 10)[0];
        printf("{\"operation\": \"%s\", %s, \"time\": %.4f, \"time_graph\": %.4f, \"bytes\": %.0f, \"fraction\": %.3f}\n", operation,
               size.c_str(), t.plain, t.graph, bytes, bytes / (t.graph / 1e3) / bandwidth);
        fflush(stdout);
    }

    void computed(const char *operation, const std::string &size, double flops, const Way &way) {
        if (once) return run(operation, size, "flops", flops, way);
        Timing t = bench.compare({way}, 15, 10)[0];
        printf("{\"operation\": \"%s\", %s, \"time\": %.4f, \"time_graph\": %.4f, \"flops\": %.4g, \"tflops\": %.1f}\n", operation,
               size.c_str(), t.plain, t.graph, flops, flops / (t.graph / 1e3) / 1e12);
        fflush(stdout);
    }
};

std::string text(const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    return line;
}

// Random values, repeated.
std::unique_ptr<Array<bf16>> tensor(Random &random, size_t n) {
    std::vector<bf16> some = random.bf16s(99991, 1), all(n);
    for (size_t i = 0; i < n; i += some.size()) std::copy_n(some.begin(), std::min(some.size(), n - i), all.begin() + (long)i);
    return std::make_unique<Array<bf16>>(all);
}

void pointwise(Report &report, Random &random, int rows, int hidden, int features) {
    size_t n = (size_t)rows * hidden, wide = (size_t)rows * features;
    auto x = tensor(random, n), dy = tensor(random, n), weight = tensor(random, (size_t)hidden);
    Array<bf16> y(n), dx(std::vector<bf16>(n, __float2bfloat16(0)));
    Array<float> inverse((size_t)rows);
    std::string size = text("\"rows\": %d, \"hidden\": %d", rows, hidden);
    double bytes = (double)n * 2;
    report.moved("rms_norm", size, 2 * bytes, [&](cudaStream_t s) {
        CHECK_PLORA(plora_rms_norm(x->data(), weight->data(), 1e-6f, y.data(), inverse.data(), rows, hidden, s));
    });
    report.moved("rms_norm_backward", size, 4 * bytes, [&](cudaStream_t s) {
        CHECK_PLORA(plora_rms_norm_backward(x->data(), weight->data(), inverse.data(), dy->data(), dx.data(), rows, hidden, s));
    });
    auto gate_up = tensor(random, 2 * wide), d = tensor(random, wide);
    Array<bf16> out(wide), d_gate_up(2 * wide);
    size = text("\"rows\": %d, \"features\": %d", rows, features);
    report.moved("swiglu", size, 6.0 * (double)wide, [&](cudaStream_t s) {
        CHECK_PLORA(plora_swiglu(gate_up->data(), out.data(), rows, features, s));
    });
    report.moved("swiglu_backward", size, 10.0 * (double)wide, [&](cudaStream_t s) {
        CHECK_PLORA(plora_swiglu_backward(gate_up->data(), d->data(), d_gate_up.data(), rows, features, s));
    });
    plora_heads heads = {28, 4, 128};
    auto qkv = tensor(random, (size_t)rows * 36 * 128);
    Array<float> table(random.floats(1024 * 128, 0.5f));
    std::vector<int32_t> positions;
    for (int i = 0; i < rows; i++) positions.push_back(i % 1024);
    Array<int32_t> device_positions(positions);
    report.moved("rotary", text("\"rows\": %d, \"heads\": 28, \"kv_heads\": 4, \"head_size\": 128", rows),
                 4.0 * rows * 32 * 128, [&](cudaStream_t s) {
                     CHECK_PLORA(plora_rotary(&heads, table.data(), device_positions.data(), qkv->data(), rows, 0, s));
                 });
    report.moved("embed", text("\"rows\": %d, \"hidden\": %d", rows, hidden), 2 * bytes, [&](cudaStream_t s) {
        CHECK_PLORA(plora_embed(x->data(), device_positions.data(), y.data(), rows, hidden, s));
    });
}

// Adapters of one projection each, as many elements as given.
void optimizer(Report &report, Random &random, int adapters, int rank, int columns, int matrices_each) {
    std::vector<std::unique_ptr<Array<float>>> state;
    std::vector<std::unique_ptr<Array<bf16>>> copies;
    std::vector<plora_matrix> matrices;
    size_t n = (size_t)rank * columns;
    std::vector<float> values = random.floats(n, 0.01f), squares(n, 1e-4f);
    for (int i = 0; i < adapters * matrices_each; i++) {
        for (int k = 0; k < 4; k++) state.push_back(std::make_unique<Array<float>>(k == 3 ? squares : values));
        copies.push_back(std::make_unique<Array<bf16>>(n));
        size_t at = state.size() - 4;
        bool is_b = i % 2 == 1;
        matrices.push_back({state[at]->data(), state[at + 1]->data(), state[at + 2]->data(), state[at + 3]->data(),
                            copies.back()->data(), is_b ? columns : rank, is_b ? rank : columns, is_b ? rank : columns,
                            i / matrices_each, is_b, 0});
    }
    std::vector<plora_step> steps((size_t)adapters, {1, 0, 1e-4f, 1e-4f, 0.01f, 1.0f, 0.1f, 0.001f});
    std::vector<int32_t> adapter_spans((size_t)adapters + 1);
    CHECK_PLORA(plora_optimizer_plan(matrices.data(), (int)matrices.size(), adapters, nullptr, 0, adapter_spans.data()));
    std::vector<plora_span> spans((size_t)adapter_spans.back());
    CHECK_PLORA(plora_optimizer_plan(matrices.data(), (int)matrices.size(), adapters, spans.data(), (int)spans.size(), adapter_spans.data()));
    Array<plora_matrix> device_matrices(matrices);
    Array<plora_span> device_spans(spans);
    Array<int32_t> device_adapter_spans(adapter_spans);
    Array<plora_step> device_steps(steps);
    Array<double> norms((size_t)adapters), workspace(spans.size() + (size_t)adapters);
    double elements = (double)n * adapters * matrices_each;
    report.moved("adamw", text("\"adapters\": %d, \"parameters\": %.0f", adapters, elements), 34 * elements, [&](cudaStream_t s) {
        CHECK_PLORA(plora_gradient_norms(device_matrices.data(), device_spans.data(), (int)spans.size(), device_adapter_spans.data(),
                                         adapters, device_steps.data(), norms.data(), workspace.data(), s));
        CHECK_PLORA(plora_optimize(device_matrices.data(), device_spans.data(), (int)spans.size(), device_steps.data(), workspace.data(), s));
    });
    report.moved("copy_parameters", text("\"adapters\": %d, \"parameters\": %.0f", adapters, elements), 6 * elements,
                 [&](cudaStream_t s) {
                     CHECK_PLORA(plora_copy_parameters(device_matrices.data(), device_spans.data(), (int)spans.size(), s));
                 });
}

void cross_entropy(Report &report, Random &random, plora_blas *blas, int rows, int hidden, int vocabulary, int chunk) {
    auto x = tensor(random, (size_t)rows * hidden), weight = tensor(random, (size_t)vocabulary * hidden);
    std::vector<int32_t> targets, target_rows;
    for (int i = 0; i < rows; i++) targets.push_back(random.within(0, vocabulary - 1)), target_rows.push_back(i);
    Array<int32_t> device_targets(targets), device_rows(target_rows);
    Array<float> weights(std::vector<float>((size_t)rows, 1.0f / (float)rows)), losses((size_t)rows);
    Array<bf16> dx((size_t)rows * hidden);
    Array<char> workspace((size_t)plora_cross_entropy_workspace(chunk, hidden, vocabulary));
    std::string size = text("\"rows\": %d, \"hidden\": %d, \"vocabulary\": %d, \"chunk_rows\": %d", rows, hidden, vocabulary, chunk);
    report.computed("cross_entropy", size, 4.0 * rows * hidden * vocabulary, [&](cudaStream_t s) {
        CHECK_PLORA(plora_cross_entropy(blas, x->data(), weight->data(), device_rows.data(), rows, device_targets.data(),
                                        weights.data(), rows, hidden, vocabulary, chunk, losses.data(), dx.data(),
                                        workspace.data(), s));
    });
    Array<float> logits(random.floats((size_t)chunk * vocabulary, 1));
    report.moved("softmax_loss", size, (double)chunk * vocabulary * 10, [&](cudaStream_t s) {
        CHECK_PLORA(plora_softmax_loss(logits.data(), device_rows.data(), chunk, device_targets.data(), weights.data(), vocabulary,
                                       1, losses.data(), s));
    });
}

void attention(Report &report, Random &random, const plora_heads &heads, const char *name, const std::vector<int> &lengths) {
    std::vector<int32_t> starts{0};
    double pairs = 0;
    for (int length : lengths) starts.push_back(starts.back() + length), pairs += 0.5 * length * (length + 1.0);
    int rows = starts.back(), sequences = (int)lengths.size(), count;
    CHECK_PLORA(plora_attention_plan(starts.data(), sequences, nullptr, 0, &count));
    std::vector<plora_attention_tile> tiles((size_t)count * 2);
    CHECK_PLORA(plora_attention_plan(starts.data(), sequences, tiles.data(), count * 2, &count));
    Array<plora_attention_tile> device_tiles(tiles);
    size_t out = (size_t)rows * heads.heads * heads.head_size;
    size_t wide = (size_t)rows * (heads.heads + 2 * heads.kv_heads) * heads.head_size;
    auto qkv = tensor(random, wide), dy = tensor(random, out);
    Array<bf16> y(out), d_qkv(wide);
    Array<float> log_sum((size_t)rows * heads.heads);
    Array<char> workspace((size_t)plora_attention_workspace(&heads, count, rows));
    std::string size = text("\"lengths\": \"%s\", \"rows\": %d, \"heads\": %d, \"kv_heads\": %d, \"head_size\": %d", name, rows,
                            heads.heads, heads.kv_heads, heads.head_size);
    double flops = 4.0 * pairs * heads.heads * heads.head_size;
    Way forward = [&](cudaStream_t s) {
        CHECK_PLORA(plora_attention(&heads, device_tiles.data(), count, qkv->data(), y.data(), log_sum.data(), s));
    };
    Way backward = [&](cudaStream_t s) {
        CHECK_PLORA(plora_attention_backward(&heads, device_tiles.data(), count, rows, qkv->data(), y.data(), log_sum.data(),
                                             dy->data(), d_qkv.data(), workspace.data(), s));
    };
    report.computed("attention", size, flops, forward);
    report.computed("attention_backward", size, 2.5 * flops, backward);
    report.computed("attention_both", size, 3.5 * flops, [&](cudaStream_t s) { forward(s), backward(s); });
}

}  // namespace

int main(int count, char **arguments) {
    const char *library = count > 1 && strcmp(arguments[1], "-") != 0 ? arguments[1] : nullptr;
    Array<char> workspace(64 << 20);
    plora_blas *blas;
    CHECK_PLORA(plora_blas_create(library, workspace.data(), 64 << 20, &blas));
    Report report(count > 2 && strcmp(arguments[2], "once") == 0);
    Random random(1);
    cudaDeviceProp properties;
    CHECK_CUDA(cudaGetDeviceProperties(&properties, 0));
    printf("{\"gpu\": \"%s\", \"cublas\": %d, \"copy_bandwidth\": %.4g}\n", properties.name, plora_blas_version(blas), report.bandwidth);
    pointwise(report, random, 8192, 3584, 18944);
    optimizer(report, random, 32, 16, 3584, 28);
    optimizer(report, random, 32, 64, 3584, 28);
    cross_entropy(report, random, blas, 2048, 2048, 151936, 1024);
    std::vector<int> ragged;
    for (int i = 0; i < 64; i++) ragged.push_back(32 + 224 * i / 63);
    for (plora_heads heads : {plora_heads{16, 2, 128}, plora_heads{28, 4, 128}, plora_heads{14, 2, 64}, plora_heads{32, 8, 64}}) {
        attention(report, random, heads, "8 of 1024", std::vector<int>(8, 1024));
        attention(report, random, heads, "64 of 32..256", ragged);
    }
    CHECK_PLORA(plora_blas_destroy(blas));
}
