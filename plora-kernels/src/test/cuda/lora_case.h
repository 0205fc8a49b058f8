// A random packed projection: segments, ranks and dropout of all kinds, operands on host and device.
#pragma once
#include <memory>

#include "test.h"

struct LoraCase {
    int adapters, parts, inputs, outputs, rows;
    std::vector<int32_t> starts{0}, from, to, ranks, drops, overwrites;
    std::vector<float> scales;
    std::vector<int64_t> keys;
    std::vector<plora_term> terms;
    std::vector<std::vector<bf16>> a, b;
    std::vector<std::vector<float>> gradient_a, gradient_b;
    std::vector<std::unique_ptr<Array<bf16>>> device_a, device_b;
    std::vector<std::unique_ptr<Array<float>>> device_gradient_a, device_gradient_b;
    std::unique_ptr<Array<plora_term>> device_terms;
    plora_device device;
    plora_lora_plan plan;
    std::vector<plora_tile> tiles;

    LoraCase(Random &random, bool dropout, int most_columns, int most_rank, int most_rows = 1 << 20, int most_inputs = 1 << 20) {
        adapters = random.chance(0.1) ? random.within(10, 40) : random.within(1, 5);
        parts = random.within(1, 3);
        inputs = 8 * random.within(1, std::min(most_columns, most_inputs) / 8);
        layout(random, most_columns);
        segments(random, most_rows);
        int common = random.one_of({0, 0, 1, 8, 16, 64});  // all ranks, or 0 for mixed
        for (int i = 0; i < adapters * parts; i++) {
            int rank = common > 0 ? common : random.chance(0.3) ? random.one_of({1, 8, 16, 32}) : random.within(1, most_rank);
            ranks.push_back(random.chance(0.15) ? 0 : std::min(rank, most_rank));
            add_term(random, i, dropout && random.chance(0.7));
        }
        for (int i = 0; i < adapters; i++) overwrites.push_back(random.chance(0.3));
        device_terms = std::make_unique<Array<plora_term>>(terms);
        make_plan(random);
    }

    int index(int adapter, int part) const { return adapter * parts + part; }
    int width(int part) const { return to[part] - from[part]; }
    int64_t stride(int adapter) const {
        int64_t sum = 0;
        for (int p = 0; p < parts; p++) sum += (ranks[index(adapter, p)] + 7) / 8 * 8;
        return sum;
    }
    int64_t low_rank_at(int adapter, int part, int row) const {
        int64_t at = 0;
        for (int i = 0; i < adapter; i++) at += stride(i) * (starts[i + 1] - starts[i]);
        at += stride(adapter) * (row - starts[adapter]);
        for (int p = 0; p < part; p++) at += (ranks[index(adapter, p)] + 7) / 8 * 8;
        return at;
    }
    plora_lora_shape shape() const {
        return {adapters, parts, inputs, outputs, starts.data(), from.data(), to.data(), ranks.data(), drops.data(), overwrites.data()};
    }

   private:
    void layout(Random &random, int most_columns) {
        int at = random.chance(0.1) ? 8 : 0;
        for (int p = 0; p < parts; p++) {
            from.push_back(at);
            at += 8 * random.within(1, most_columns / 8);
            to.push_back(at);
            if (random.chance(0.1)) at += 16;
        }
        outputs = at;
    }

    void segments(Random &random, int most_rows) {
        for (int i = 0; i < adapters; i++) {
            int n = adapters > 8 ? random.within(0, 20) : random.one_of({0, 1, 64, random.within(1, 40), random.within(40, 300)});
            starts.push_back(std::min(starts.back() + n, most_rows));
        }
        rows = starts.back();
        for (int row = 0; row < rows; row++) keys.push_back((int64_t)random.bits());
    }

    void add_term(Random &random, int i, bool drop) {
        int part = i % parts, rank = ranks[i], b_stride = (rank + 7) / 8 * 8;
        float probability = random.one_of({0.05f, 0.1f, 0.5f});
        uint32_t threshold = drop ? (uint32_t)lround(probability * 65536) : 0;
        drops.push_back(threshold != 0);
        a.push_back(random.bf16s((size_t)rank * inputs, 1 / sqrtf((float)inputs)));
        b.push_back(random.bf16s((size_t)width(part) * b_stride, 1));
        for (int o = 0; o < width(part); o++) {
            for (int r = rank; r < b_stride; r++) b.back()[(size_t)(o * b_stride + r)] = __float2bfloat16(NAN);
        }
        gradient_a.push_back(random.floats(a.back().size(), 1));
        gradient_b.push_back(random.floats((size_t)width(part) * rank, 1));
        device_a.push_back(std::make_unique<Array<bf16>>(a.back()));
        device_b.push_back(std::make_unique<Array<bf16>>(b.back()));
        device_gradient_a.push_back(std::make_unique<Array<float>>(gradient_a.back()));
        device_gradient_b.push_back(std::make_unique<Array<float>>(gradient_b.back()));
        terms.push_back({device_a.back()->data(), device_b.back()->data(), device_gradient_a.back()->data(),
                         device_gradient_b.back()->data(), rank, b_stride, random.one_of({0.5f, 1.0f, 4.0f}), threshold,
                         65536.0f / (65536.0f - threshold), random.within(0, 1000)});
    }

    // Any number of multiprocessors must do, any amount of shared memory that the device has, and kernels for older devices.
    void make_plan(Random &random) {
        CHECK_PLORA(plora_device_query(&device));
        if (random.chance(0.3)) device.compute_capability = 80;
        device.multiprocessors = random.one_of({1, 8, 132});
        device.shared_memory = std::min(device.shared_memory, random.one_of({99, 163, 227}) * 1024);
        plora_lora_shape s = shape();
        CHECK_PLORA(plora_lora_make_plan(&s, &device, &plan, nullptr, 0));
        tiles.resize((size_t)plan.tiles);
        CHECK_PLORA(plora_lora_make_plan(&s, &device, &plan, tiles.data(), plan.tiles));
    }
};
