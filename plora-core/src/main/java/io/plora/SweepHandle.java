package io.plora;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/** A sweep that runs on a thread of its own. Closing it cancels the sweep and waits for its end. */
public final class SweepHandle implements AutoCloseable {
    private final CompletableFuture<SweepResult> result;
    private final Runnable cancellation;

    SweepHandle(CompletableFuture<SweepResult> result, Runnable cancellation) {
        this.result = result;
        this.cancellation = cancellation;
    }

    /**
     * Asks the sweep to end after the iterations in progress. What runs is saved, and the same sweep, run again, goes on from
     * there.
     */
    public void cancel() {
        cancellation.run();
    }

    public boolean isDone() {
        return result.isDone();
    }

    /**
     * Waits for the sweep's end, also when this thread is interrupted meanwhile; the interrupt stays set.
     *
     * @throws RuntimeException as {@link LoraSweep#run()} would have thrown it
     */
    public SweepResult await() {
        try {
            return result.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw e;
        }
    }

    /** Waits for the sweep's end; an interrupt of this thread cancels the sweep and stays set. */
    void awaitOrCancel() {
        try {
            toFuture().handle((end, failure) -> true).get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            cancel();
        } catch (ExecutionException e) {
            throw new IllegalStateException("A future that handles failures failed.", e);
        }
    }

    /** For callers that compose futures; cancelling the future does not cancel the sweep. */
    public CompletableFuture<SweepResult> toFuture() {
        return result.copy();
    }

    /** Cancels the sweep and waits; how it ended is what {@link #await()} tells. */
    @Override
    public void close() {
        cancel();
        result.handle((end, failure) -> null).join();
    }
}
