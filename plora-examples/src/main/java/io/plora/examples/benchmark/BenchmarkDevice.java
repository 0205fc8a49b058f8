package io.plora.examples.benchmark;

import io.plora.execute.ComputeDevice;

/** Where a benchmark trains. */
enum BenchmarkDevice {
    CPU,
    CUDA;

    ComputeDevice open() {
        return this == CPU ? ComputeDevice.cpu() : ComputeDevice.cuda(0);
    }
}
