package io.plora.kernels.cuda;

import com.google.common.base.Suppliers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Reads of a few bytes in the order of the kernels' stream, by way of page-locked memory: who wants them waits for what was asked of
 * the device before, and not for what was asked for meanwhile.
 *
 * <p>Reads are asked for on the thread of the kernels; the bytes may be taken on any.
 */
final class EarlyReads implements AutoCloseable {
    /** Most bytes of one read: the losses of the largest passes. */
    static final int MOST = 1 << 18;

    private static final int SLOTS = 16;

    private final Nd4jDevice device;
    private final Pointer memory;
    private final List<Slot> slots = new ArrayList<>();
    private int next;

    EarlyReads(Nd4jDevice device) {
        this.device = device;
        this.memory = device.allocatePageLocked(SLOTS * (long) MOST);
        ByteBuffer all = new BytePointer(memory).capacity(SLOTS * (long) MOST).asByteBuffer();
        try {
            for (int i = 0; i < SLOTS; i++) {
                slots.add(new Slot(all.slice(i * MOST, MOST)));
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** A place for one read after the other. */
    private static final class Slot {
        private final ByteBuffer memory;
        private final long event = CudaLibrary.createEvent();
        private Supplier<ByteBuffer> last = () -> ByteBuffer.allocate(0);

        private Slot(ByteBuffer memory) {
            this.memory = memory;
        }

        private Supplier<ByteBuffer> read(long from, int bytes, long stream) {
            last.get(); // whoever asked for it finds it there
            CudaLibrary.check(Plora.copy(new Pointer(memory).address(), from, bytes, stream));
            CudaLibrary.check(Plora.recordEvent(event, stream));
            last = Suppliers.memoize(() -> take(bytes));
            return last;
        }

        private ByteBuffer take(int bytes) {
            CudaLibrary.check(Plora.awaitEvent(event));
            return ByteBuffer.allocate(bytes).put(memory.slice(0, bytes)).flip().order(ByteOrder.nativeOrder());
        }
    }

    /** At most {@link #MOST} bytes of device memory as they are when all is done that the stream holds now. */
    Supplier<ByteBuffer> read(long from, int bytes, long stream) {
        Slot slot = slots.get(next);
        next = (next + 1) % SLOTS;
        return slot.read(from, bytes, stream);
    }

    /** To be called once all has been done. */
    @Override
    public void close() {
        try {
            for (Slot slot : slots) {
                slot.last.get();
                CudaLibrary.check(Plora.destroyEvent(slot.event));
            }
        } finally {
            device.releasePageLocked(memory);
        }
    }
}
