package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.plora.kernels.cuda.CudaKernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** CUDA kernels and ND4J's CUDA backend in one process. */
@Tag("gpu")
class CudaKernelsTest {

    @BeforeAll
    static void needsAGpu() {
        Gpu.assumeAvailable();
    }

    @Test
    void nd4jComputesOnASliceThatKernelsHaveWritten() {
        try (Kernels kernels = Gpu.kernels()) {
            kernels.allocate(DType.F32, 1000);
            Tensor tensor = kernels.allocate(DType.F32, 4, 256);
            kernels.write(tensor, ramp(1024));

            INDArray array = NDArrays.view(tensor.rows(1, 3));

            assertThat(array.sumNumber().doubleValue()).isEqualTo((256 + 767) * 512 / 2.0);
            assertThat(array.getDouble(1, 255)).isEqualTo(767);
        }
    }

    @Test
    void kernelsSeeWhatNd4jWritesIntoASlice() {
        try (Kernels kernels = Gpu.kernels()) {
            Tensor tensor = kernels.allocate(DType.F32, 3, 8);

            NDArrays.view(tensor.rows(1, 2))
                    .assign(Nd4j.ones(DataType.FLOAT, 1, 8).mul(2.5));

            float[] expected = new float[24];
            Arrays.fill(expected, 8, 16, 2.5f);
            assertThat(kernels.floats(tensor)).isEqualTo(expected);
        }
    }

    @Test
    void bf16ValuesAreRoundedToTheNearestAndReadBack() {
        try (Kernels kernels = Gpu.kernels()) {
            Tensor tensor = kernels.allocate(DType.BF16, 2, 8);
            float[] values = ramp(16);
            values[3] = 1 + 0x1p-9f;
            values[4] = 1.5f + 0x1p-7f;

            kernels.write(tensor, values);

            values[3] = 1;
            assertThat(kernels.floats(tensor)).isEqualTo(values);
        }
    }

    @Test
    void memoryComesBackWhenReleasedAndFreshTensorsAreZero() {
        try (Kernels kernels = Gpu.kernels()) {
            long gibibyte = (1L << 30) / Float.BYTES;
            for (int i = 0; i < 8; i++) {
                Tensor tensor = kernels.allocate(DType.F32, gibibyte);
                assertThat(kernels.floats(tensor.rows(gibibyte - 8, gibibyte))).containsOnly(0);
                kernels.write(tensor.rows(gibibyte - 8, gibibyte), ramp(8));
                kernels.release(tensor);
            }
        }
    }

    @Test
    void uniformValuesAreThoseOfSplittableRandom() {
        try (Kernels kernels = Gpu.kernels()) {
            Tensor tensor = kernels.allocate(DType.F32, 10_000);
            kernels.uniform(tensor, 3, 0.125);

            SplittableRandom random = new SplittableRandom(3);
            float[] expected = new float[10_000];
            for (int i = 0; i < expected.length; i++) {
                expected[i] = (float) ((2 * random.nextDouble() - 1) * 0.125);
            }
            assertThat(kernels.floats(tensor)).isEqualTo(expected);
        }
    }

    @Test
    void valuesThatAreReadLaterAreThoseOfNowAndTheirMemoryComesBack() {
        try (Kernels kernels = Gpu.kernels()) {
            int size = 100_000_000; // 0.4 of 2 GB
            List<Supplier<float[]>> values = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                Tensor tensor = kernels.allocate(DType.F32, size);
                kernels.write(tensor.rows(size - 8, size), new float[] {i, i, i, i, i, i, i, i});
                values.add(kernels.floatsLater(tensor));
                kernels.zero(tensor);
                kernels.release(tensor);
            }
            for (int i = 0; i < values.size(); i++) {
                float[] read = values.get(i).get();
                assertThat(read).hasSize(size);
                assertThat(read[0]).isZero();
                assertThat(read[size - 8]).isEqualTo(i);
                values.set(i, () -> new float[0]);
            }
        }
    }

    @Test
    void fewValuesThatAreReadLaterAreThoseOfNowHoweverManyReadsFollow() {
        try (Kernels kernels = Gpu.kernels()) {
            Tensor tensor = kernels.allocate(DType.F32, 8);
            List<Supplier<float[]>> values = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                kernels.write(tensor, new float[] {i, i, i, i, i, i, i, i});
                values.add(kernels.floatsLater(tensor));
            }
            for (int i = 99; i >= 0; i--) {
                assertThat(values.get(i).get()).hasSize(8).containsOnly(i);
            }
        }
    }

    @Test
    void moreMemoryThanTheArenaOrTheGpuHasIsRefusedWithTheNumbers() {
        try (Kernels kernels = Gpu.kernels()) {
            assertThatExceptionOfType(OutOfMemoryError.class)
                    .isThrownBy(() -> kernels.allocate(DType.F32, 1L << 30))
                    .withMessageContaining("4294967296");
        }
        assertThatExceptionOfType(OutOfMemoryError.class)
                .isThrownBy(() -> new CudaKernels(0, 1L << 42))
                .withMessageContaining("4398046511104");
    }

    @Test
    void aGpuThatIsNotThereIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new CudaKernels(99, 1 << 20))
                .withMessageContaining("GPU (99)");
    }

    @Test
    void sizesThatKernelsCannotTakeAreNamed() {
        try (Kernels kernels = Gpu.kernels()) {
            PackedBatch batch =
                    new PackedBatch(new int[] {0, 1}, new int[] {0, 1}, new int[1], new int[1], new float[1], null);
            Tensor table = kernels.allocate(DType.BF16, 16, 12);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.embed(table, batch, kernels.allocate(DType.BF16, 1, 12)))
                    .withMessageContaining("12");
        }
    }

    @Test
    void anotherThreadIsRefused() {
        try (Kernels kernels = Gpu.kernels()) {
            Tensor tensor = kernels.allocate(DType.F32, 8);
            CompletableFuture<Void> elsewhere = CompletableFuture.runAsync(() -> kernels.zero(tensor));
            assertThatExceptionOfType(CompletionException.class)
                    .isThrownBy(elsewhere::join)
                    .withMessageContaining("belong to thread");
        }
    }

    @Test
    void theyStartAgainAfterTheyWereClosed() {
        for (int i = 0; i < 3; i++) {
            try (Kernels kernels = Gpu.kernels()) {
                assertThat(kernels.description()).contains("CUDA");
                assertThat(kernels.floats(kernels.allocate(DType.F32, 8))).containsOnly(0);
            }
        }
    }

    private static float[] ramp(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = i;
        }
        return values;
    }
}
