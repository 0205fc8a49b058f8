package io.plora.kernels.cpu;

import com.google.common.util.concurrent.ThreadFactoryBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The threads of one instance: the caller and helpers. How work is cut never depends on which thread takes a piece, so
 * results do not either.
 */
final class Workers implements AutoCloseable {
    /** Below this many multiplications waking a helper costs more than it saves. */
    private static final long WORTH_SPLITTING = 1 << 18;
    /** Products are cut at multiples of OpenBLAS's tiles. */
    private static final int TILE = 16;

    private final int threads;
    private final ExecutorService helpers;
    private final ThreadLocal<Scratch> scratch = ThreadLocal.withInitial(Scratch::new);

    Workers(int threads) {
        this.threads = threads;
        this.helpers = Executors.newFixedThreadPool(
                Math.max(1, threads - 1),
                new ThreadFactoryBuilder()
                        .setNameFormat("plora-cpu-%d")
                        .setDaemon(true)
                        .build());
    }

    /** A piece of work that uses the scratch memory of the thread that takes it. */
    interface Work {
        void run(Scratch scratch);
    }

    /** Work on rows or elements {@code from .. to - 1}. */
    interface RangeWork {
        void run(int from, int to, Scratch scratch);
    }

    int threads() {
        return threads;
    }

    /** Scratch memory of the calling thread. */
    Scratch scratch() {
        return scratch.get();
    }

    /**
     * Runs the pieces and waits for them; rethrows the first failure.
     *
     * @throws IllegalStateException if this has been closed
     */
    void run(List<? extends Work> pieces) {
        if (helpers.isShutdown()) {
            throw new IllegalStateException("These kernels are closed.");
        }
        int wanted = Math.min(threads, pieces.size());
        if (wanted <= 1) {
            pieces.forEach(piece -> piece.run(scratch.get()));
            return;
        }
        Batch batch = new Batch(pieces);
        for (int helper = 1; helper < wanted; helper++) {
            helpers.execute(batch::work);
        }
        batch.work();
        batch.await();
    }

    /** Cuts {@code count} elements into ranges of {@code grain} and runs them. */
    void ranges(int count, int grain, RangeWork work) {
        run(cut(count, grain, work));
    }

    static List<Work> cut(int count, int grain, RangeWork work) {
        List<Work> pieces = new ArrayList<>();
        for (int from = 0; from < count; from += grain) {
            int start = from;
            int end = Math.min(count, from + grain);
            pieces.add(memory -> work.run(start, end, memory));
        }
        return pieces;
    }

    /** {@code to = left right + beta to}, cut along the longer side of the result. */
    void multiply(Matrix left, Matrix right, float beta, Matrix to) {
        long multiplications = (long) to.rows() * to.columns() * left.columns();
        int cuts = multiplications < WORTH_SPLITTING ? 1 : threads;
        if (to.rows() >= to.columns()) {
            ranges(
                    to.rows(),
                    grain(to.rows(), cuts),
                    (from, end, memory) ->
                            memory.products().multiply(1, left.rows(from, end), right, beta, to.rows(from, end)));
        } else {
            ranges(
                    to.columns(),
                    grain(to.columns(), cuts),
                    (from, end, memory) ->
                            memory.products().multiply(1, left, right.columns(from, end), beta, to.columns(from, end)));
        }
    }

    private static int grain(int count, int cuts) {
        int even = (count + cuts - 1) / cuts;
        return Math.max(TILE, (even + TILE - 1) / TILE * TILE);
    }

    @Override
    public void close() {
        helpers.shutdown();
        scratch.remove();
    }

    /** Pieces in progress: each thread takes the next one until none is left. */
    private final class Batch {
        private final List<? extends Work> pieces;
        private final AtomicInteger next = new AtomicInteger();
        private final CountDownLatch unfinished;
        private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

        Batch(List<? extends Work> pieces) {
            this.pieces = List.copyOf(pieces); // a helper may look after the caller has gone on
            this.unfinished = new CountDownLatch(this.pieces.size());
        }

        void work() {
            for (int piece = next.getAndIncrement(); piece < pieces.size(); piece = next.getAndIncrement()) {
                try {
                    pieces.get(piece).run(scratch.get());
                } catch (RuntimeException | Error e) {
                    failure.compareAndSet(null, e);
                } finally {
                    unfinished.countDown();
                }
            }
        }

        void await() {
            boolean interrupted = false;
            while (unfinished.getCount() > 0) {
                try {
                    unfinished.await();
                } catch (InterruptedException e) {
                    interrupted = true; // pieces write to the caller's tensors: never leave before they are done
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            rethrow(failure.get());
        }

        private static void rethrow(@Nullable Throwable failure) {
            if (failure instanceof Error error) {
                throw error;
            }
            if (failure instanceof RuntimeException exception) {
                throw exception;
            }
        }
    }
}
