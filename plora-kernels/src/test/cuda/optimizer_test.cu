// Packed AdamW and gradient descent against PyTorch's formulas in double precision.
#include <memory>

#include "test.h"

namespace {

struct Matrix {
    int adapter, rows, columns, copy_stride;
    bool is_b;
    std::vector<float> p, g, m, v;
    std::unique_ptr<Array<float>> device_p, device_g, device_m, device_v;
    std::unique_ptr<Array<bf16>> copy;

    Matrix(Random &random, int of, bool b) : adapter(of), is_b(b) {
        rows = b ? 8 * random.within(1, 60) : random.within(1, 40);
        columns = b ? random.within(1, 40) : 8 * random.within(1, 60);
        if (random.chance(0.1)) rows *= 16;
        copy_stride = b ? (columns + 7) / 8 * 8 : columns;
        size_t n = (size_t)rows * columns;
        p = random.floats(n, 1), g = random.floats(n, 0.1f), m = random.floats(n, 0.1f), v = random.floats(n, 0.1f);
        for (float &value : v) value *= value;
        device_p = std::make_unique<Array<float>>(p), device_g = std::make_unique<Array<float>>(g);
        device_m = std::make_unique<Array<float>>(m), device_v = std::make_unique<Array<float>>(v);
        copy = std::make_unique<Array<bf16>>(std::vector<bf16>((size_t)rows * copy_stride, __float2bfloat16(7)));
    }

    plora_matrix entry() const {
        return {device_p->data(), device_g->data(), device_m->data(), device_v->data(), copy->data(),
                rows,             columns,          copy_stride,      adapter,          is_b,
                0};
    }

    void reset() {
        device_p->write(p), device_g->write(g), device_m->write(m), device_v->write(v);
    }
};

double norm_of(const std::vector<Matrix> &matrices, int adapter) {
    double squares = 0;
    for (const Matrix &matrix : matrices) {
        for (float g : matrix.g) squares += matrix.adapter == adapter ? (double)g * (double)g : 0;
    }
    return sqrt(squares);
}

// The bf16 copy is that of the parameters, or still the 7 of before; padding is never written.
void check_copy(const Matrix &matrix, const std::vector<float> &parameters, bool copied) {
    auto copy = matrix.copy->read();
    for (size_t i = 0; i < copy.size(); i++) {
        size_t row = i / matrix.copy_stride, column = i % matrix.copy_stride;
        bool untouched = column >= (size_t)matrix.columns || !copied;
        float expected = untouched ? 7 : __bfloat162float(__float2bfloat16(parameters[row * matrix.columns + column]));
        REQUIRE(__bfloat162float(copy[i]) == expected, "copy[%zu]", i);
    }
}

void check_matrix(const Matrix &matrix, const plora_step &step, double norm) {
    bool moves = step.active && isfinite(norm);
    double scale = step.max_norm == 0 ? 1 : fmin(1, (double)step.max_norm / (norm + 1e-6));
    double rate = (double)(matrix.is_b ? step.learning_rate_b : step.learning_rate_a), decay = (double)step.weight_decay;
    Expected p(matrix.p.size()), m(matrix.p.size()), v(matrix.p.size());
    for (size_t i = 0; i < matrix.p.size(); i++) {
        double g = (double)matrix.g[i] * scale, old = (double)matrix.p[i];
        m.start(i, (double)matrix.m[i]);
        v.start(i, (double)matrix.v[i]);
        p.start(i, old);
        if (!moves) continue;
        if (step.rule == 1) {
            p.start(i, old - rate * (g + decay * old));
            continue;
        }
        double first = 0.9 * (double)matrix.m[i] + 0.1 * g, second = 0.999 * (double)matrix.v[i] + 0.001 * g * g;
        m.start(i, first);
        v.start(i, second);
        double direction = first / (double)step.first_correction / (sqrt(second / (double)step.second_correction) + 1e-8);
        p.start(i, old * (1 - rate * decay) - rate * direction);
    }
    compare("parameters", matrix.device_p->read(), p, moves ? F32 : 0, 0);
    compare("first moment", matrix.device_m->read(), m, moves ? F32 : 0, 0);
    compare("second moment", matrix.device_v->read(), v, moves ? F32 : 0, 0);
    check_copy(matrix, matrix.device_p->read(), moves);
    auto gradient = matrix.device_g->read();
    for (size_t i = 0; i < gradient.size(); i++) {
        REQUIRE(memcmp(&gradient[i], &matrix.g[i], 4) == 0, "gradient[%zu]", i);
    }
}

void check_step(Random &random) {
    int adapters = random.within(1, 6);
    std::vector<Matrix> matrices;
    std::vector<plora_step> steps;
    for (int a = 0; a < adapters; a++) {
        int count = random.within(0, 4);
        for (int i = 0; i < count; i++) matrices.emplace_back(random, a, i % 2 == 1);
        if (count > 0 && random.chance(0.2)) {
            matrices.back().g[0] = random.one_of({NAN, INFINITY, 1e30f});
            matrices.back().reset();
        }
        int t = random.within(1, 1000);
        steps.push_back({random.chance(0.8), random.chance(0.2), 1e-2f, 4e-2f, random.one_of({0.0f, 0.1f}),
                         random.one_of({0.0f, 0.5f, 1000.0f}), (float)(1 - pow(0.9, t)), (float)(1 - pow(0.999, t))});
    }
    std::vector<plora_matrix> entries;
    for (const Matrix &matrix : matrices) entries.push_back(matrix.entry());
    std::vector<int32_t> adapter_spans((size_t)adapters + 1);
    CHECK_PLORA(plora_optimizer_plan(entries.data(), (int)entries.size(), adapters, nullptr, 0, adapter_spans.data()));
    std::vector<plora_span> spans((size_t)adapter_spans.back());
    CHECK_PLORA(plora_optimizer_plan(entries.data(), (int)entries.size(), adapters, spans.data(), (int)spans.size(), adapter_spans.data()));
    Array<plora_matrix> device_matrices(entries);
    Array<plora_span> device_spans(spans);
    Array<int32_t> device_adapter_spans(adapter_spans);
    Array<plora_step> device_steps(steps);
    Array<double> norms((size_t)adapters), workspace(spans.size() + (size_t)adapters);
    CHECK_PLORA(plora_copy_parameters(device_matrices.data(), device_spans.data(), (int)spans.size(), nullptr));
    for (const Matrix &matrix : matrices) {
        check_copy(matrix, matrix.p, true);
        matrix.copy->write(std::vector<bf16>(matrix.copy->size(), __float2bfloat16(7)));
    }
    auto run = [&] {
        for (Matrix &matrix : matrices) matrix.reset();
        CHECK_PLORA(plora_gradient_norms(device_matrices.data(), device_spans.data(), (int)spans.size(), device_adapter_spans.data(),
                                         adapters, device_steps.data(), norms.data(), workspace.data(), nullptr));
        CHECK_PLORA(plora_optimize(device_matrices.data(), device_spans.data(), (int)spans.size(), device_steps.data(), workspace.data(),
                                   nullptr));
    };
    run();
    auto got = norms.read();
    workspace.read();
    for (int a = 0; a < adapters; a++) {
        double norm = norm_of(matrices, a), expected = steps[(size_t)a].active ? norm : 0;
        REQUIRE(isfinite(expected) && expected < 1e18 ? fabs(got[(size_t)a] - expected) <= 1e-5 * expected : !isfinite(got[(size_t)a]),
                "norm of adapter %d: got %g, expected %g", a, got[(size_t)a], expected);
    }
    std::vector<std::vector<float>> first_run;
    for (const Matrix &matrix : matrices) {
        double norm = norm_of(matrices, matrix.adapter);
        check_matrix(matrix, steps[(size_t)matrix.adapter], norm < 1e18 ? norm : INFINITY);
        first_run.push_back(matrix.device_p->read());
    }
    run();
    for (size_t i = 0; i < matrices.size(); i++) REQUIRE(same_bits(first_run[i], matrices[i].device_p->read()), "matrix %zu", i);
}

}  // namespace

void test_optimizer(Random &random, int shapes) {
    for (int i = 0; i < shapes; i++) check_step(random);
}
