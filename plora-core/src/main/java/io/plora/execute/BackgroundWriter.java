package io.plora.execute;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.Uninterruptibles;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Writes files on a thread of its own, in the order asked, so that devices need not wait for disks. Once something could not
 * be written nothing is any more, and whoever asks hears of it.
 */
final class BackgroundWriter implements AutoCloseable {
    /** More would pile up in memory where disks are too slow; who asks then waits. */
    private static final int MOST_WAITING = 4;

    private final ExecutorService thread = Executors.newSingleThreadExecutor(task -> new Thread(task, "plora files"));
    private final Semaphore room = new Semaphore(MOST_WAITING);
    private volatile @Nullable Throwable failure;

    /** Asks for something to be written. */
    void write(Runnable work) {
        requireNoFailure();
        room.acquireUninterruptibly();
        thread.execute(() -> {
            try {
                if (failure == null) {
                    work.run();
                }
            } catch (Throwable e) {
                failure = e;
            } finally {
                room.release();
            }
        });
    }

    /** Done when all that was asked for before is written; it fails if something could not be. */
    Future<?> written() {
        return thread.submit(this::requireNoFailure);
    }

    /** Waits for {@link #written} and throws what could not be written. */
    static void await(Future<?> written) {
        try {
            Uninterruptibles.getUninterruptibly(written);
        } catch (ExecutionException e) {
            Throwables.throwIfUnchecked(e.getCause());
            throw new IllegalStateException(e.getCause());
        }
    }

    private void requireNoFailure() {
        Throwable cause = failure;
        if (cause != null) {
            Throwables.throwIfUnchecked(cause);
            throw new IllegalStateException(cause);
        }
    }

    /** Waits until all that was asked for has been tried. */
    @Override
    public void close() {
        thread.shutdown();
        Uninterruptibles.awaitTerminationUninterruptibly(thread);
    }
}
