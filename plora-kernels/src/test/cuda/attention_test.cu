// Ragged causal attention against plain loops in double precision.
#include "test.h"

namespace {

struct Attention {
    plora_heads heads;
    std::vector<int32_t> starts{0};
    int rows, width, out;

    explicit Attention(Random &random) {
        int kv = random.within(1, 2);
        heads = {kv * random.within(1, 3), kv, random.one_of({32, 64, 96, 128})};
        bool many = random.chance(0.2);
        int sequences = many ? random.within(33, 70) : random.within(1, 4);
        for (int i = 0; i < sequences; i++) {
            int longer = many ? random.within(1, 9) : random.one_of({64, random.within(1, 63), random.within(65, 200)});
            starts.push_back(starts.back() + random.one_of({0, 1, longer, longer, longer}));
        }
        rows = starts.back();
        width = (heads.heads + 2 * heads.kv_heads) * heads.head_size;
        out = heads.heads * heads.head_size;
    }
};

struct Reference {
    const Attention &c;
    const std::vector<bf16> &qkv, &dy;
    Expected y, log_sum, d_qkv;

    Reference(const Attention &of, const std::vector<bf16> &x, const std::vector<bf16> &d)
        : c(of), qkv(x), dy(d), y((size_t)of.rows * of.out), log_sum((size_t)of.rows * of.heads.heads), d_qkv(x.size()) {
        for (size_t s = 0; s + 1 < c.starts.size(); s++) {
            for (int head = 0; head < c.heads.heads; head++) {
                for (int row = c.starts[s]; row < c.starts[s + 1]; row++) add(head, c.starts[s], row);
            }
        }
    }

    void add(int head, int start, int row) {
        int size = c.heads.head_size, kv = head / (c.heads.heads / c.heads.kv_heads);
        auto at = [&](int of, int slot) { return (size_t)of * c.width + (size_t)slot * size; };
        size_t q = at(row, head), o = (size_t)row * c.out + (size_t)head * size;
        int keys = row - start + 1;
        std::vector<double> p((size_t)keys), dp((size_t)keys);
        double max = -INFINITY, sum = 0, scale = 1 / sqrt(size), mean = 0;
        for (int j = 0; j < keys; j++) {
            size_t k = at(start + j, c.heads.heads + kv);
            for (int i = 0; i < size; i++) p[(size_t)j] += number(qkv[q + i]) * number(qkv[k + i]) * scale;
            max = fmax(max, p[(size_t)j]);
        }
        for (double score : p) sum += exp(score - max);
        for (double &score : p) score = exp(score - max) / sum;
        log_sum.add((size_t)row * c.heads.heads + (size_t)head, max + log(sum));
        for (int j = 0; j < keys; j++) {
            size_t v = at(start + j, c.heads.heads + c.heads.kv_heads + kv);
            for (int i = 0; i < size; i++) {
                y.add(o + i, p[(size_t)j] * number(qkv[v + i]));
                dp[(size_t)j] += number(dy[o + i]) * number(qkv[v + i]);
            }
            mean += p[(size_t)j] * dp[(size_t)j];
        }
        // the output is rounded before its product with dy is taken from every score's gradient
        double rounding = 0;
        for (int i = 0; i < size; i++) rounding += pow(number(dy[o + i]) * y.value[o + i], 2);
        rounding = sqrt(rounding);
        for (int j = 0; j < keys; j++) {
            size_t k = at(start + j, c.heads.heads + kv), v = at(start + j, c.heads.heads + c.heads.kv_heads + kv);
            double doubt = rounding * p[(size_t)j] * scale;
            double ds = p[(size_t)j] * (dp[(size_t)j] - mean) * scale;
            for (int i = 0; i < size; i++) {
                d_qkv.add(q + i, ds * number(qkv[k + i]));
                d_qkv.add(k + i, ds * number(qkv[q + i]));
                d_qkv.doubt(k + i, doubt * number(qkv[q + i]));
                d_qkv.doubt(q + i, doubt * number(qkv[k + i]) * sqrt(keys));
                d_qkv.add(v + i, p[(size_t)j] * number(dy[o + i]));
            }
        }
    }
};

struct Results {
    std::vector<bf16> y, d_qkv;
    std::vector<float> log_sum;
};

Results run(const Attention &c, const std::vector<bf16> &qkv, const std::vector<bf16> &dy) {
    int count;
    int sequences = (int)c.starts.size() - 1;
    CHECK_PLORA(plora_attention_plan(c.starts.data(), sequences, nullptr, 0, &count));
    std::vector<plora_attention_tile> tiles((size_t)count * 2);
    CHECK_PLORA(plora_attention_plan(c.starts.data(), sequences, tiles.data(), count * 2, &count));
    Array<plora_attention_tile> device_tiles(tiles);
    Array<bf16> device_qkv(qkv), device_dy(dy), y(dy.size()), d_qkv(qkv.size());
    Array<float> log_sum((size_t)c.rows * c.heads.heads), workspace((size_t)plora_attention_workspace(&c.heads, count, c.rows) / 4);
    CHECK_PLORA(plora_attention(&c.heads, device_tiles.data(), count, device_qkv.data(), y.data(), log_sum.data(), nullptr));
    CHECK_PLORA(plora_attention_backward(&c.heads, device_tiles.data(), count, c.rows, device_qkv.data(), y.data(), log_sum.data(),
                                         device_dy.data(), d_qkv.data(), workspace.data(), nullptr));
    workspace.read();
    return {y.read(), d_qkv.read(), log_sum.read()};
}

}  // namespace

void test_attention(Random &random, int shapes) {
    for (int i = 0; i < shapes; i++) {
        Attention c(random);
        auto qkv = random.bf16s((size_t)c.rows * c.width, random.one_of({0.3f, 1.0f})), dy = random.bf16s((size_t)c.rows * c.out, 1);
        Results got = run(c, qkv, dy);
        Reference expected(c, qkv, dy);
        compare("y", got.y, expected.y, BF16, TERMS);
        compare("log_sum", got.log_sum, expected.log_sum, F32, F32);
        compare("d_qkv", got.d_qkv, expected.d_qkv, BF16, TERMS);
        Results again = run(c, qkv, dy);
        REQUIRE(same_bits(got.y, again.y) && same_bits(got.d_qkv, again.d_qkv), "shape %d differs on the second run", i);
    }
}
