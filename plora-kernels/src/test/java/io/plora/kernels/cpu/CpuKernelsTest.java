package io.plora.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.common.util.concurrent.Uninterruptibles;
import io.plora.kernels.DType;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.junit.jupiter.api.Test;

class CpuKernelsTest {

    @Test
    void theyRunWhereOpenBlasIsAndSayOnHowManyThreads() {
        try (CpuKernels kernels = new CpuKernels(3)) {
            assertThat(CpuKernels.unavailableReason()).isEmpty();
            assertThat(kernels.description()).contains("3 threads");
        }
    }

    @Test
    void openBlasHasOneThreadWhileKernelsAreOpenAndThenAsManyAsBefore() {
        openblas_nolapack.blas_set_num_threads(2);
        CpuKernels first = new CpuKernels(1);
        CpuKernels second = new CpuKernels(1);

        first.close();
        first.close();
        assertThat(openblas_nolapack.blas_get_num_threads()).isEqualTo(1);
        second.close();
        assertThat(openblas_nolapack.blas_get_num_threads()).isEqualTo(2);
    }

    @Test
    void openBlasIsSetToOneThreadAgainIfSomebodyElseSetsItMeanwhile() {
        try (CpuKernels kernels = new CpuKernels(1)) {
            PackedBatch batch =
                    new PackedBatch(new int[] {0, 1}, new int[] {0, 1}, new int[1], new int[1], new float[1], null);
            Tensor tensor = kernels.allocate(DType.F32, 1, 1);
            openblas_nolapack.blas_set_num_threads(2);

            kernels.logits(tensor, tensor, batch, kernels.allocate(DType.F32, 1, 1));

            assertThat(openblas_nolapack.blas_get_num_threads()).isEqualTo(1);
        }
    }

    @Test
    void closedKernelsComputeNoMore() {
        CpuKernels kernels = new CpuKernels(2);
        kernels.close();

        assertThatExceptionOfType(IllegalStateException.class)
                .isThrownBy(() -> kernels.optimize(List.of()))
                .withMessageContaining("closed");
    }

    @Test
    void noThreadsAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> new CpuKernels(0)).withMessageContaining("threads (0)");
    }

    @Test
    void valuesAreReadAsTheyWereWritten() {
        try (CpuKernels kernels = new CpuKernels(1)) {
            Tensor tensor = kernels.allocate(DType.F32, 3);
            Tensor copy = kernels.allocate(DType.F32, 3);
            ByteBuffer bytes = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putFloat(1).putFloat(-2.5f).putFloat(3).flip();

            kernels.write(tensor, bytes, DType.F32);
            kernels.copy(tensor, copy);
            kernels.zero(tensor);

            ByteBuffer back = ByteBuffer.allocate(16).position(4);
            kernels.read(copy, back);
            assertThat(back.remaining()).isZero();
            assertThat(back.order(ByteOrder.LITTLE_ENDIAN).getFloat(8)).isEqualTo(-2.5f);
            assertThat(tensor.floats().get(1)).isZero();
        }
    }

    @Test
    void anotherTypeIsNotAllocated() {
        try (CpuKernels kernels = new CpuKernels(1)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> kernels.allocate(DType.BF16, 3))
                    .withMessageContaining("BF16");
        }
    }

    @Test
    void theFirstFailureOfAWorkerReachesTheCallerAfterAllPiecesHaveEnded() {
        try (Workers workers = new Workers(3)) {
            AtomicInteger ended = new AtomicInteger();
            List<Workers.Work> pieces = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                int piece = i;
                pieces.add(scratch -> {
                    ended.incrementAndGet();
                    if (piece == 7) {
                        throw new IllegalStateException("piece 7");
                    }
                });
            }

            assertThatExceptionOfType(IllegalStateException.class)
                    .isThrownBy(() -> workers.run(pieces))
                    .withMessage("piece 7");
            assertThat(ended).hasValue(20);
        }
    }

    @Test
    void anInterruptedCallerWaitsForAllPiecesAndStaysInterrupted() {
        try (Workers workers = new Workers(2)) {
            AtomicInteger ended = new AtomicInteger();
            CountDownLatch bothRun = new CountDownLatch(2);
            Workers.Work piece = scratch -> {
                bothRun.countDown();
                Uninterruptibles.awaitUninterruptibly(bothRun);
                LockSupport.parkNanos(1_000_000);
                ended.incrementAndGet();
            };
            Thread.currentThread().interrupt();

            workers.run(List.of(piece, piece));

            assertThat(Thread.interrupted()).isTrue();
            assertThat(ended).hasValue(2);
        }
    }

    @Test
    void rangesCoverAllElementsOnce() {
        try (Workers workers = new Workers(2)) {
            AtomicInteger[] visits = new AtomicInteger[103];
            for (int i = 0; i < visits.length; i++) {
                visits[i] = new AtomicInteger();
            }

            workers.ranges(visits.length, 10, (from, to, scratch) -> {
                for (int i = from; i < to; i++) {
                    visits[i].incrementAndGet();
                }
            });

            assertThat(visits).extracting(AtomicInteger::get).containsOnly(1);
        }
    }
}
