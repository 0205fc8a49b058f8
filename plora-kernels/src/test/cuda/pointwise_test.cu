// Embedding, RMSNorm, SwiGLU, rotary embedding against double precision.
#include "test.h"

namespace {

double sigmoid(double x) { return 1 / (1 + exp(-x)); }

// The values that Java's SplittableRandom(seed).nextDouble() gives.
void check_uniform() {
    const double first[] = {0.8833108082136426, 0.43152799704850997, 0.026433771592597743};
    Array<float> to((size_t)3);
    CHECK_PLORA(plora_uniform(to.data(), 3, 0, 0.25, nullptr));
    auto got = to.read();
    for (size_t i = 0; i < 3; i++) {
        float expected = (float)((2 * first[i] - 1) * 0.25);
        REQUIRE(got[i] == expected, "value %zu is %g, not %g", i, (double)got[i], (double)expected);
    }
}

void check_embed(Random &random) {
    int vocabulary = random.within(1, 100), hidden = 8 * random.within(1, 200), rows = random.within(0, 60);
    Array<bf16> table(random.bf16s((size_t)vocabulary * hidden, 1)), y((size_t)rows * hidden);
    std::vector<int32_t> tokens;
    for (int i = 0; i < rows; i++) tokens.push_back(random.within(0, vocabulary - 1));
    Array<int32_t> device_tokens(tokens);
    CHECK_PLORA(plora_embed(table.data(), device_tokens.data(), y.data(), rows, hidden, nullptr));
    auto t = table.read(), got = y.read();
    for (int i = 0; i < rows; i++) {
        REQUIRE(memcmp(&got[(size_t)i * hidden], &t[(size_t)tokens[(size_t)i] * hidden], (size_t)hidden * 2) == 0, "row %d", i);
    }
}

void check_rms_norm(Random &random) {
    int hidden = 8 * random.within(1, 300), rows = random.within(0, 30);
    size_t n = (size_t)rows * hidden;
    auto x = random.bf16s(n, random.one_of({0.1f, 1.0f, 10.0f})), weight = random.bf16s((size_t)hidden, 1);
    auto dy = random.bf16s(n, 1), dx = random.bf16s(n, 1);
    Array<bf16> device_x(x), device_weight(weight), y(n), device_dy(dy), device_dx(dx);
    Array<float> inverse((size_t)rows);
    float epsilon = 1e-6f;
    CHECK_PLORA(plora_rms_norm(device_x.data(), device_weight.data(), epsilon, y.data(), inverse.data(), rows, hidden, nullptr));
    CHECK_PLORA(plora_rms_norm_backward(device_x.data(), device_weight.data(), inverse.data(), device_dy.data(), device_dx.data(),
                                        rows, hidden, nullptr));
    Expected expected_y(n), expected_inverse((size_t)rows), expected_dx(n);
    for (int row = 0; row < rows; row++) {
        double squares = 0, mean = 0;
        size_t at = (size_t)row * hidden;
        for (size_t i = 0; i < (size_t)hidden; i++) squares += number(x[at + i]) * number(x[at + i]);
        double scale = 1 / sqrt(squares / hidden + epsilon);
        for (size_t i = 0; i < (size_t)hidden; i++) mean += number(weight[i]) * number(dy[at + i]) * number(x[at + i]) * scale / hidden;
        expected_inverse.add((size_t)row, scale);
        for (size_t i = 0; i < (size_t)hidden; i++) {
            expected_y.add(at + i, number(weight[i]) * number(x[at + i]) * scale);
            expected_dx.add(at + i, number(dx[at + i]));
            expected_dx.add(at + i, scale * number(weight[i]) * number(dy[at + i]));
            expected_dx.add(at + i, -scale * number(x[at + i]) * scale * mean);
        }
    }
    compare("inverse_rms", inverse.read(), expected_inverse, F32, 0);
    compare("y", y.read(), expected_y, BF16, F32);
    compare("dx", device_dx.read(), expected_dx, BF16, F32);
}

void check_swiglu(Random &random) {
    int features = 8 * random.within(1, 200), rows = random.within(0, 30);
    size_t n = (size_t)rows * features;
    auto gate_up = random.bf16s(2 * n, random.one_of({1.0f, 20.0f})), dy = random.bf16s(n, 1);
    Array<bf16> device_gate_up(gate_up), device_dy(dy), y(n), d_gate_up(2 * n);
    CHECK_PLORA(plora_swiglu(device_gate_up.data(), y.data(), rows, features, nullptr));
    CHECK_PLORA(plora_swiglu_backward(device_gate_up.data(), device_dy.data(), d_gate_up.data(), rows, features, nullptr));
    Expected expected_y(n), expected_d(2 * n);
    for (size_t i = 0; i < n; i++) {
        size_t at = i / features * 2 * features + i % features;
        double gate = number(gate_up[at]), up = number(gate_up[at + features]), d = number(dy[i]), s = sigmoid(gate);
        expected_y.add(i, gate * s * up);
        expected_d.add(at, d * up * s);
        expected_d.add(at, d * up * s * gate * (1 - s));
        expected_d.add(at + features, d * gate * s);
    }
    compare("y", y.read(), expected_y, BF16, F32);
    compare("d_gate_up", d_gate_up.read(), expected_d, BF16, F32);
}

void check_rotary(Random &random) {
    plora_heads heads = {random.within(1, 4) * 2, 2, random.one_of({32, 64, 96, 128})};
    int rows = random.within(0, 20), size = heads.head_size, half = size / 2, width = (heads.heads + 2 * heads.kv_heads) * size;
    std::vector<float> table(100 * (size_t)size);
    for (int p = 0; p < 100; p++) {
        for (int i = 0; i < half; i++) {
            table[(size_t)(p * size + i)] = (float)cos(p * pow(10000, -2.0 * i / size));
            table[(size_t)(p * size + half + i)] = (float)sin(p * pow(10000, -2.0 * i / size));
        }
    }
    std::vector<int32_t> positions;
    for (int i = 0; i < rows; i++) positions.push_back(random.within(0, 99));
    auto qkv = random.bf16s((size_t)rows * width, 1);
    Array<float> device_table(table);
    Array<int32_t> device_positions(positions);
    Array<bf16> device_qkv(qkv);
    bool inverse = random.chance(0.5);
    CHECK_PLORA(plora_rotary(&heads, device_table.data(), device_positions.data(), device_qkv.data(), rows, inverse, nullptr));
    Expected expected(qkv.size());
    for (size_t i = 0; i < qkv.size(); i++) {
        size_t row = i / width, column = i % width, in_head = column % size;
        const float *angles = &table[(size_t)positions[row] * size];
        if (column >= (size_t)(heads.heads + heads.kv_heads) * size) {
            expected.add(i, number(qkv[i]));
        } else {
            bool first = in_head < (size_t)half;
            double sine = (double)angles[half + in_head % half] * (first != inverse ? -1 : 1);
            expected.add(i, number(qkv[i]) * (double)angles[in_head % half]);
            expected.add(i, number(qkv[first ? i + half : i - half]) * sine);
        }
    }
    compare("qkv", device_qkv.read(), expected, BF16, F32);
}

}  // namespace

void test_pointwise(Random &random, int shapes) {
    check_uniform();
    for (int i = 0; i < shapes; i++) {
        check_embed(random);
        check_rms_norm(random);
        check_swiglu(random);
        check_rotary(random);
    }
}
