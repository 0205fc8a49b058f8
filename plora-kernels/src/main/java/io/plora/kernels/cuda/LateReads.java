package io.plora.kernels.cuda;

import com.google.common.util.concurrent.ThreadFactoryBuilder;
import com.google.common.util.concurrent.Uninterruptibles;
import io.plora.kernels.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads tensors on threads and streams of its own, beside what the kernels do.
 *
 * <p>All methods belong to the thread of the kernels.
 */
final class LateReads implements AutoCloseable {
    private static final Logger LOGGER = LoggerFactory.getLogger(LateReads.class);

    /** cudaStreamPerThread: the stream of whichever thread calls. */
    private static final long STREAM_OF_THREAD = 2;

    private static final int CHUNK = 1 << 22; // values copied at a time

    /** Tensors read at a time: new memory of the host takes longer to fill than the bus to bring what goes there. */
    private static final int AT_ONCE = 3;

    private final Nd4jDevice device;
    private final ExecutorService threads;
    private final List<Read> reads = new ArrayList<>();
    private final Pointer staging; // page-locked: copies run at the speed of the bus and stop no other work
    private final BlockingQueue<ByteBuffer> pieces = new ArrayBlockingQueue<>(AT_ONCE); // of it, that nobody uses

    private record Read(Tensor tensor, Future<float[]> values) {}

    LateReads(Nd4jDevice device) {
        this.device = device;
        this.threads = Executors.newFixedThreadPool(
                AT_ONCE,
                new ThreadFactoryBuilder()
                        .setNameFormat("plora reads from GPU " + device.number() + " %d")
                        .setDaemon(true)
                        .build());
        int bytes = CHUNK * Float.BYTES;
        this.staging = device.allocatePageLocked(AT_ONCE * (long) bytes);
        ByteBuffer all =
                new BytePointer(staging).capacity(AT_ONCE * (long) bytes).asByteBuffer();
        for (int i = 0; i < AT_ONCE; i++) {
            pieces.add(all.slice(i * bytes, bytes).order(ByteOrder.nativeOrder()));
        }
    }

    /**
     * Values of a float32 tensor as they are when all is done that a stream holds now; it is one of {@link #takeRead} once it has been
     * read.
     */
    Future<float[]> read(Tensor tensor, long stream) {
        long complete = CudaLibrary.createEvent();
        try {
            CudaLibrary.check(Plora.recordEvent(complete, stream));
            Future<float[]> values = threads.submit(() -> copy(tensor, complete));
            reads.add(new Read(tensor, values));
            return values;
        } catch (RuntimeException e) {
            Plora.destroyEvent(complete);
            throw e;
        }
    }

    private float[] copy(Tensor from, long complete) {
        ByteBuffer piece = pieces.remove(); // there are as many as threads
        try {
            CudaLibrary.check(Plora.useDevice(device.number()));
            CudaLibrary.check(Plora.awaitEvent(complete));
            return copy(from, piece);
        } finally {
            Plora.destroyEvent(complete);
            pieces.add(piece);
        }
    }

    private static float[] copy(Tensor from, ByteBuffer piece) {
        float[] values = new float[Math.toIntExact(from.size())];
        for (int start = 0; start < values.length; start += CHUNK) {
            int count = Math.min(CHUNK, values.length - start);
            CudaLibrary.check(Plora.copy(
                    new Pointer(piece).address(),
                    from.address() + start * (long) Float.BYTES,
                    count * (long) Float.BYTES,
                    STREAM_OF_THREAD));
            CudaLibrary.check(Plora.synchronize(STREAM_OF_THREAD));
            piece.asFloatBuffer().get(values, start, count);
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
        threads.shutdown();
        Uninterruptibles.awaitTerminationUninterruptibly(threads);
        device.releasePageLocked(staging);
    }
}
