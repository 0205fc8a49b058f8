package io.plora.kernels.cuda;

import com.google.common.util.concurrent.MoreExecutors;
import com.google.common.util.concurrent.ThreadFactoryBuilder;
import com.google.common.util.concurrent.Uninterruptibles;
import io.plora.kernels.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads tensors that nobody writes to, on a thread and a stream of its own, beside what the kernels do. A tensor that is
 * released meanwhile stays until it has been read.
 *
 * <p>All methods belong to the thread of the kernels.
 */
final class LateReads implements AutoCloseable {
    private static final Logger LOGGER = LoggerFactory.getLogger(LateReads.class);

    /** cudaStreamPerThread: the stream of whichever thread calls. */
    private static final long STREAM_OF_THREAD = 2;

    private static final int CHUNK = 1 << 22; // values copied at a time

    private final Nd4jDevice device;
    private final ExecutorService thread;
    private final List<Read> reads = new ArrayList<>();
    private final Pointer staging; // page-locked: copies run at the speed of the bus and stop no other work
    private final ByteBuffer staged;

    private static final class Read {
        private final Tensor tensor;
        private final Future<float[]> values;
        private boolean released;

        private Read(Tensor tensor, Future<float[]> values) {
            this.tensor = tensor;
            this.values = values;
        }
    }

    LateReads(Nd4jDevice device) {
        this.device = device;
        this.thread = Executors.newSingleThreadExecutor(new ThreadFactoryBuilder()
                .setNameFormat("plora reads from GPU " + device.number())
                .setDaemon(true)
                .build());
        this.staging = device.allocatePageLocked(CHUNK * (long) Float.BYTES);
        this.staged = new BytePointer(staging)
                .capacity(CHUNK * (long) Float.BYTES)
                .asByteBuffer()
                .order(ByteOrder.nativeOrder());
    }

    /** Values of a float32 tensor, of which all that was to be written has been. */
    Future<float[]> read(Tensor tensor) {
        forgetRead();
        Future<float[]> values = thread.submit(() -> copy(tensor));
        reads.add(new Read(tensor, values));
        return values;
    }

    private float[] copy(Tensor from) {
        CudaLibrary.check(Plora.useDevice(device.number()));
        float[] values = new float[Math.toIntExact(from.size())];
        for (int start = 0; start < values.length; start += CHUNK) {
            int count = Math.min(CHUNK, values.length - start);
            CudaLibrary.check(Plora.copy(
                    staging.address(),
                    from.address() + start * (long) Float.BYTES,
                    count * (long) Float.BYTES,
                    STREAM_OF_THREAD));
            CudaLibrary.check(Plora.synchronize(STREAM_OF_THREAD));
            staged.asFloatBuffer().get(values, start, count);
        }
        return values;
    }

    private void forgetRead() {
        reads.removeIf(read -> !read.released && read.values.isDone());
    }

    /** Whether a tensor is still to be read; it is then one of {@link #takeReleased} once it has been. */
    boolean keeps(Tensor tensor) {
        forgetRead();
        for (Read read : reads) {
            if (read.tensor == tensor) {
                read.released = true;
                return true;
            }
        }
        return false;
    }

    /**
     * Tensors that were released and have been read, to be released now.
     *
     * @param wait whether to wait for those that have not been read
     */
    List<Tensor> takeReleased(boolean wait) {
        List<Tensor> taken = new ArrayList<>();
        for (Read read : List.copyOf(reads)) {
            if (wait && read.released) {
                awaitEnd(read.values);
            }
            if (read.released && read.values.isDone()) {
                reads.remove(read);
                taken.add(read.tensor);
            }
        }
        return taken;
    }

    /** A failure is for whoever wants the values. */
    private static void awaitEnd(Future<float[]> values) {
        try {
            Uninterruptibles.getUninterruptibly(values);
        } catch (ExecutionException e) {
            LOGGER.debug("A tensor could not be read.", e);
        }
    }

    /** Waits for what is to be read. */
    @Override
    public void close() {
        MoreExecutors.shutdownAndAwaitTermination(thread, Duration.ofDays(1));
        device.releasePageLocked(staging);
    }
}
