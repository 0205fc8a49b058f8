// What the benchmarks share: interleaved timing of several ways, plain and as a replayed CUDA graph.
#pragma once
#include <algorithm>
#include <functional>

#include "test.h"

// Medians in milliseconds of one way to do the work.
struct Timing {
    double plain, graph;
};

class Bench {
    static constexpr size_t FLUSH = 256u << 20;
    cudaStream_t stream;
    cudaEvent_t start, stop;
    char *flush;

    double timed(const std::function<void()> &work) {
        CHECK_CUDA(cudaEventRecord(start, stream));
        work();
        CHECK_CUDA(cudaEventRecord(stop, stream));
        CHECK_CUDA(cudaEventSynchronize(stop));
        float milliseconds;
        CHECK_CUDA(cudaEventElapsedTime(&milliseconds, start, stop));
        return (double)milliseconds;
    }

    static double median(std::vector<double> values) {
        std::sort(values.begin(), values.end());
        return values[values.size() / 2];
    }

    cudaGraphExec_t record(const std::function<void(cudaStream_t)> &way, int times) {
        cudaGraph_t graph;
        cudaGraphExec_t replay;
        CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        for (int i = 0; i < times; i++) way(stream);
        CHECK_CUDA(cudaStreamEndCapture(stream, &graph));
        CHECK_CUDA(cudaGraphInstantiate(&replay, graph, 0));
        CHECK_CUDA(cudaGraphDestroy(graph));
        return replay;
    }

   public:
    Bench() {
        CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        CHECK_CUDA(cudaEventCreate(&start));
        CHECK_CUDA(cudaEventCreate(&stop));
        CHECK_CUDA(cudaMalloc((void **)&flush, FLUSH));
    }

    // Bytes read and written per second by a large copy on the device.
    double copy_bandwidth() {
        size_t bytes = (size_t)2 << 30;
        char *from, *to;
        CHECK_CUDA(cudaMalloc((void **)&from, bytes));
        CHECK_CUDA(cudaMalloc((void **)&to, bytes));
        CHECK_CUDA(cudaMemset(from, 1, bytes));
        std::vector<double> times;
        for (int i = 0; i < 10; i++) {
            times.push_back(timed([&] { cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream); }));
        }
        CHECK_CUDA(cudaFree(from));
        CHECK_CUDA(cudaFree(to));
        return 2.0 * (double)bytes / median(times) * 1e3;
    }

    // Plain: one run at a time with a cold L2 cache. Graph: `times` runs after each other, as a training step would.
    std::vector<Timing> compare(const std::vector<std::function<void(cudaStream_t)>> &ways, int repetitions, int times) {
        std::vector<std::vector<double>> plain(ways.size()), graph(ways.size());
        std::vector<cudaGraphExec_t> replays;
        for (const auto &way : ways) {
            way(stream);
            replays.push_back(record(way, times));
            timed([&] { CHECK_CUDA(cudaGraphLaunch(replays.back(), stream)); });
        }
        for (int i = 0; i < repetitions; i++) {
            for (size_t turn = 0; turn < ways.size(); turn++) {
                size_t w = (turn + (size_t)i) % ways.size();  // each after another one, since all heat the chip
                CHECK_CUDA(cudaMemsetAsync(flush, 0, FLUSH, stream));
                plain[w].push_back(timed([&] { ways[w](stream); }));
                graph[w].push_back(timed([&] { CHECK_CUDA(cudaGraphLaunch(replays[w], stream)); }) / times);
            }
        }
        std::vector<Timing> result;
        for (size_t w = 0; w < ways.size(); w++) {
            CHECK_CUDA(cudaGraphExecDestroy(replays[w]));
            result.push_back({median(plain[w]), median(graph[w])});
        }
        return result;
    }
};
