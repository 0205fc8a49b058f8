package io.plora.examples.benchmark;

import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.util.Arrays;
import java.util.Random;

/** What a large product reaches, through the library and the threads that training uses. */
final class LargeProduct {
    private static final int SIZE = 2048;
    private static final int REPETITIONS = 3;

    private LargeProduct() {}

    /** GFLOP/s of a (2048, 2048) x (2048, 2048) float32 product, the best of three. */
    static double gigaflops(Kernels kernels) {
        Tensor x = random(kernels);
        Tensor weight = random(kernels);
        Tensor y = kernels.allocate(DType.F32, SIZE, SIZE);
        PackedBatch batch = rows();
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < REPETITIONS; i++) {
            long start = System.nanoTime();
            kernels.logits(x, weight, batch, y);
            best = Math.min(best, (System.nanoTime() - start) / 1e9);
        }
        return 2.0 * SIZE * SIZE * SIZE / best / 1e9;
    }

    private static Tensor random(Kernels kernels) {
        Random random = new Random(1);
        float[] values = new float[SIZE * SIZE];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        Tensor tensor = kernels.allocate(DType.F32, SIZE, SIZE);
        kernels.write(tensor, values);
        return tensor;
    }

    private static PackedBatch rows() {
        int[] starts = {0, SIZE};
        int[] noTargets = new int[SIZE];
        Arrays.fill(noTargets, -1);
        return new PackedBatch(starts, starts, new int[SIZE], noTargets, new float[SIZE], null);
    }
}
