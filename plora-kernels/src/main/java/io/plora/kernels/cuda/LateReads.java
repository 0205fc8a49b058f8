package io.plora.kernels.cuda;

import com.google.common.util.concurrent.ThreadFactoryBuilder;
import com.google.common.util.concurrent.Uninterruptibles;
import io.plora.kernels.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
 * Reads tensors on a thread and a stream of its own, beside what the kernels do.
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

    private record Read(Tensor tensor, Future<float[]> values) {}

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

    /** Values of a float32 tensor whose content is complete; it is one of {@link #takeRead} once it has been read. */
    Future<float[]> read(Tensor tensor) {
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

    /**
     * Tensors that have been read since the last call.
     *
     * @param wait whether to wait for all others too
     */
    List<Tensor> takeRead(boolean wait) {
        if (wait) {
            reads.forEach(read -> awaitEnd(read.values()));
        }
        List<Tensor> taken = new ArrayList<>();
        reads.removeIf(read -> read.values().isDone() && taken.add(read.tensor()));
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
        thread.shutdown();
        Uninterruptibles.awaitTerminationUninterruptibly(thread);
        device.releasePageLocked(staging);
    }
}
