package io.plora.execute;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.MoreExecutors;
import com.google.common.util.concurrent.Uninterruptibles;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Writes files on threads of its own, so that devices need not wait for disks: what belongs together in the order asked,
 * different things at the same time. Once something could not be written nothing is begun any more, and whoever asks hears of it.
 */
final class BackgroundWriter implements AutoCloseable {
    /** More would pile up in memory where disks are too slow; who asks then waits. */
    private static final int MOST_UNFINISHED = 4;

    private final ExecutorService threads =
            Executors.newFixedThreadPool(MOST_UNFINISHED, task -> new Thread(task, "plora files"));
    private final Map<String, Executor> inOrder = new ConcurrentHashMap<>();
    private final Set<CompletableFuture<Void>> unfinished = ConcurrentHashMap.newKeySet();
    private final Semaphore room = new Semaphore(MOST_UNFINISHED);
    private volatile @Nullable Throwable failure;

    /**
     * Asks for something to be written.
     *
     * @param owner what it belongs to; writes of the same owner keep their order
     */
    void write(String owner, Runnable work) {
        requireNoFailure();
        room.acquireUninterruptibly();
        Executor executor = inOrder.computeIfAbsent(owner, key -> MoreExecutors.newSequentialExecutor(threads));
        CompletableFuture<Void> written = CompletableFuture.runAsync(() -> attempt(work), executor);
        unfinished.add(written);
        written.whenComplete((nothing, error) -> unfinished.remove(written));
    }

    private void attempt(Runnable work) {
        try {
            if (failure == null) {
                work.run();
            }
        } catch (Throwable e) {
            failure = e;
        } finally {
            room.release();
        }
    }

    /** Done when all that was asked for before is written; it fails if something could not be. */
    Future<?> written() {
        return CompletableFuture.allOf(unfinished.toArray(CompletableFuture[]::new))
                .thenRun(this::requireNoFailure);
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
        CompletableFuture.allOf(unfinished.toArray(CompletableFuture[]::new)).join();
        threads.shutdown();
        Uninterruptibles.awaitTerminationUninterruptibly(threads);
    }
}
