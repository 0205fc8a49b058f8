// Cross-entropy against double precision: the softmax everywhere, with its products where there is cuBLAS.
#include "test.h"

namespace {

struct Loss {
    int rows, hidden, vocabulary;
    std::vector<int32_t> targets, target_rows;  // the last of these comes again
    std::vector<float> weights;
    size_t count;  // of rows with a target

    explicit Loss(Random &random) {
        rows = random.within(0, 40);
        hidden = 8 * random.within(1, 20);
        vocabulary = 8 * random.within(1, random.chance(0.3) ? 1000 : 60);
        for (int row = 0; row < rows; row++) {
            targets.push_back(random.chance(0.6) ? random.within(0, vocabulary - 1) : -1);
            weights.push_back(random.floats(1, 1)[0]);
            if (targets.back() >= 0) target_rows.push_back(row);
        }
        count = target_rows.size();
        if (count > 0) target_rows.resize(count + (size_t)random.within(0, 7), target_rows.back());
    }
};

double log_sum_of(const double *logits, int count) {
    double max = -INFINITY, sum = 0;
    for (int i = 0; i < count; i++) max = fmax(max, logits[i]);
    for (int i = 0; i < count; i++) sum += exp(logits[i] - max);
    return max + log(sum);
}

void check_softmax(Random &random) {
    Loss loss(random);
    size_t count = loss.count, all = loss.target_rows.size(), vocabulary = (size_t)loss.vocabulary;
    auto logits = random.floats(all * vocabulary, random.one_of({1.0f, 30.0f}));
    Array<float> device_logits(logits), weights(loss.weights), losses((size_t)loss.rows);
    Array<int32_t> targets(loss.targets), target_rows(loss.target_rows);
    losses.write(std::vector<float>((size_t)loss.rows, 0));
    CHECK_PLORA(plora_softmax_loss(device_logits.data(), target_rows.data(), (int)all, targets.data(), weights.data(),
                                   loss.vocabulary, 1, losses.data(), nullptr));
    Expected expected((size_t)loss.rows), gradient(count * vocabulary);
    for (size_t i = 0; i < count; i++) {
        std::vector<double> row(logits.begin() + (long)(i * vocabulary), logits.begin() + (long)((i + 1) * vocabulary));
        size_t at = (size_t)loss.target_rows[i];
        double log_sum = log_sum_of(row.data(), loss.vocabulary), weight = (double)loss.weights[at];
        expected.add(at, log_sum);
        expected.add(at, -row[(size_t)loss.targets[at]]);
        for (size_t v = 0; v < vocabulary; v++) gradient.add(i * vocabulary + v, weight * exp(row[v] - log_sum));
        gradient.add(i * vocabulary + (size_t)loss.targets[at], -weight);
    }
    compare("losses", losses.read(), expected, F32, F32);
    auto halves = device_logits.read();
    std::vector<bf16> got(count * vocabulary);
    for (size_t i = 0; i < count; i++) memcpy((void *)&got[i * vocabulary], &halves[i * vocabulary], vocabulary * sizeof(bf16));
    compare("gradient", got, gradient, BF16, 1e-4);
    for (size_t i = count * vocabulary; i < halves.size(); i++) {
        REQUIRE(halves[i] == logits[i], "Logit (%zu) of a row that comes again is (%g), not (%g).", i, (double)halves[i], (double)logits[i]);
    }
}

#ifndef PLORA_EMULATE

void check_all(Random &random, plora_blas *blas) {
    Loss loss(random);
    size_t hidden = (size_t)loss.hidden, vocabulary = (size_t)loss.vocabulary, n = (size_t)loss.rows * hidden;
    auto x = random.bf16s(n, 1), weight = random.bf16s(vocabulary * hidden, 1 / sqrtf((float)loss.hidden));
    Array<bf16> device_x(x), device_weight(weight), dx(n);
    Array<float> weights(loss.weights), losses((size_t)loss.rows);
    Array<int32_t> targets(loss.targets), target_rows(loss.target_rows);
    int chunk = random.within(1, 20);
    Array<char> workspace((size_t)plora_cross_entropy_workspace(chunk, loss.hidden, loss.vocabulary));
    CHECK_PLORA(plora_cross_entropy(blas, device_x.data(), device_weight.data(), target_rows.data(), (int)loss.target_rows.size(),
                                    targets.data(), weights.data(), loss.rows, loss.hidden, loss.vocabulary, chunk, losses.data(),
                                    dx.data(), workspace.data(), nullptr));
    Expected expected((size_t)loss.rows), gradient(n);
    std::vector<double> logits(vocabulary);
    for (size_t row = 0; row < loss.count; row++) {
        size_t at = (size_t)loss.target_rows[row];
        for (size_t v = 0; v < vocabulary; v++) {
            logits[v] = 0;
            for (size_t i = 0; i < hidden; i++) logits[v] += number(x[at * hidden + i]) * number(weight[v * hidden + i]);
        }
        double log_sum = log_sum_of(logits.data(), loss.vocabulary);
        expected.add(at, log_sum);
        expected.add(at, -logits[(size_t)loss.targets[at]]);
        for (size_t v = 0; v < vocabulary; v++) {
            double d = (double)loss.weights[at] * (exp(logits[v] - log_sum) - (v == (size_t)loss.targets[at]));
            for (size_t i = 0; i < hidden; i++) gradient.add(at * hidden + i, d * number(weight[v * hidden + i]));
        }
    }
    compare("losses", losses.read(), expected, F32, F32);
    compare("dx", dx.read(), gradient, BF16, TERMS);
}

// Adds what was there before. Some of cuBLAS' algorithms round the product to bf16 before they add it.
void finish(Expected &products, const std::vector<bf16> &before) {
    for (size_t i = 0; i < before.size(); i++) {
        products.squares[i] = 0;
        products.doubt(i, products.value[i]);
        products.value[i] += number(before[i]);
    }
}

// The frozen products: y = x w^T + beta y, dx = dy w + beta dx.
void check_products(Random &random, plora_blas *blas) {
    int rows = random.within(0, 60), in = 8 * random.within(1, 30), out = 8 * random.within(1, 30);
    size_t rows_ = (size_t)rows, in_ = (size_t)in, out_ = (size_t)out;
    auto x = random.bf16s(rows_ * in_, 1), w = random.bf16s(out_ * in_, 1), y = random.bf16s(rows_ * out_, 1);
    Array<bf16> device_x(x), device_w(w), device_y(y), dx(x);
    CHECK_PLORA(plora_linear(blas, device_x.data(), device_w.data(), device_y.data(), rows, in, out, 1, nullptr));
    Array<bf16> device_dy(y);
    CHECK_PLORA(plora_linear_backward(blas, device_dy.data(), device_w.data(), dx.data(), rows, in, out, 1, nullptr));
    Expected expected_y(y.size()), expected_dx(x.size());
    for (size_t row = 0; row < rows_; row++) {
        for (size_t o = 0; o < out_; o++) {
            for (size_t i = 0; i < in_; i++) {
                expected_y.add(row * out_ + o, number(x[row * in_ + i]) * number(w[o * in_ + i]));
                expected_dx.add(row * in_ + i, number(y[row * out_ + o]) * number(w[o * in_ + i]));
            }
        }
    }
    finish(expected_y, y);
    finish(expected_dx, x);
    compare("y", device_y.read(), expected_y, BF16, BF16);
    compare("dx", dx.read(), expected_dx, BF16, BF16);
}

void check_with_products(Random &random, int shapes) {
    Array<char> workspace(32 << 20);
    plora_blas *blas;
    CHECK_PLORA(plora_blas_create(getenv("PLORA_CUBLAS"), workspace.data(), 32 << 20, &blas));
    for (int i = 0; i < shapes; i++) {
        check_products(random, blas);
        check_all(random, blas);
    }
    CHECK_PLORA(plora_blas_destroy(blas));
}

#else

void check_with_products(Random &, int) {}

#endif

}  // namespace

void test_cross_entropy(Random &random, int shapes) {
    for (int i = 0; i < shapes; i++) check_softmax(random);
    check_with_products(random, shapes);
}
