package io.plora.examples.benchmark;

import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.LoraTable;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** What a large product reaches, through the library that training uses. */
final class LargeProduct {
    private static final int CPU_SIZE = 2048;
    private static final int GPU_SIZE = 8192;
    private static final int GPU_PRODUCTS = 30; // asked for at once
    private static final int REPETITIONS = 3;

    private LargeProduct() {}

    /**
     * GFLOP/s of a product of square matrices, the best of three: (2048, 2048) in float32 on the CPU, the mean of thirty of
     * (8192, 8192) in bf16 on a GPU.
     */
    static double gigaflops(Kernels kernels) {
        boolean gpu = kernels.activationType() == DType.BF16;
        return gigaflops(kernels, gpu ? GPU_SIZE : CPU_SIZE, gpu ? GPU_PRODUCTS : 1);
    }

    private static double gigaflops(Kernels kernels, int size, int products) {
        Tensor x = random(kernels, size);
        Tensor weight = random(kernels, size);
        Tensor y = kernels.allocate(kernels.activationType(), size, size);
        Tensor noLowRank = kernels.allocate(kernels.activationType(), 0);
        PackedProjection projection =
                new PackedProjection(weight, null, List.of(new PackedProjection.Part(0, size, 0)));
        LoraTable noTerms = new LoraTable(List.of(Collections.singletonList(null)));
        PackedBatch batch = rows(size);
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < REPETITIONS; i++) {
            long start = System.nanoTime();
            for (int product = 0; product < products; product++) {
                kernels.project(projection, noTerms, batch, x, noLowRank, null, y);
            }
            kernels.floats(y.rows(0, 1)); // waits
            best = Math.min(best, (System.nanoTime() - start) / 1e9 / products);
        }
        List.of(x, weight, y, noLowRank).forEach(kernels::release);
        return 2.0 * size * size * size / best / 1e9;
    }

    private static Tensor random(Kernels kernels, int size) {
        Random random = new Random(1);
        float[] values = new float[CPU_SIZE * size];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        Tensor tensor = kernels.allocate(kernels.activationType(), size, size);
        for (int row = 0; row < size; row += CPU_SIZE) {
            kernels.write(tensor.rows(row, row + CPU_SIZE), values);
        }
        return tensor;
    }

    private static PackedBatch rows(int size) {
        int[] starts = {0, size};
        int[] noTargets = new int[size];
        Arrays.fill(noTargets, -1);
        return new PackedBatch(starts, starts, new int[size], noTargets, new float[size], null);
    }
}
