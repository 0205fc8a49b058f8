package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BackgroundWriterTest {

    @Test
    void whoAsksGoesOnAndLearnsWhenItIsWritten() throws Exception {
        CountDownLatch disk = new CountDownLatch(1);
        List<Integer> written = Collections.synchronizedList(new ArrayList<>());
        try (BackgroundWriter writer = new BackgroundWriter()) {
            writer.write("adapter", () -> {
                awaitUninterruptibly(disk);
                written.add(1);
            });
            Future<?> done = writer.written();
            assertThat(done).isNotDone();
            assertThat(written).isEmpty();

            disk.countDown();
            BackgroundWriter.await(done);
            assertThat(written).containsExactly(1);
        }
    }

    @Test
    void oneOwnerDoesNotWaitForAnother() {
        CountDownLatch second = new CountDownLatch(1);
        try (BackgroundWriter writer = new BackgroundWriter()) {
            writer.write("first", () -> awaitUninterruptibly(second));
            writer.write("second", second::countDown);
            BackgroundWriter.await(writer.written());
        }
        assertThat(second.getCount()).isZero();
    }

    @Test
    void writesOfOneOwnerInTheOrderAskedAndAllBeforeItCloses() {
        List<Integer> written = new ArrayList<>();
        try (BackgroundWriter writer = new BackgroundWriter()) {
            IntStream.range(0, 100).forEach(i -> writer.write("adapter", () -> written.add(i)));
        }
        assertThat(written)
                .containsExactlyElementsOf(IntStream.range(0, 100).boxed().toList());
    }

    @Test
    void afterAFailureNothingIsWrittenAndWhoeverAsksHearsOfIt() {
        UncheckedIOException full = new UncheckedIOException(new IOException("disk full"));
        List<Integer> written = new ArrayList<>();
        try (BackgroundWriter writer = new BackgroundWriter()) {
            writer.write("adapter", () -> {
                throw full;
            });
            Future<?> done = writer.written();
            assertThatThrownBy(() -> BackgroundWriter.await(done)).isSameAs(full);
            assertThatThrownBy(() -> writer.write("adapter", () -> written.add(1)))
                    .isSameAs(full);
            assertThatThrownBy(() -> BackgroundWriter.await(writer.written())).isSameAs(full);
        }
        assertThat(written).isEmpty();
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
