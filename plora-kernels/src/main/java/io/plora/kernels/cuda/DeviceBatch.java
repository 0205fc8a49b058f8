package io.plora.kernels.cuda;

import io.plora.kernels.PackedBatch;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/** The rows of the current batch on the device, one copy a batch, whatever reads it; and its launch plans. */
final class DeviceBatch {
    private static final int ALIGNMENT = 16;

    private final DeviceMemory memory;
    private final Workspace rowMemory;
    private final BatchPlans plans;
    private ByteBuffer staging = ByteBuffer.allocateDirect(1 << 16).order(ByteOrder.nativeOrder());
    private @Nullable PackedBatch batch;
    private @Nullable BatchShape shape;
    private BatchPlans.@Nullable ShapePlans shapePlans;
    private int targetCount;
    private long tokens;
    private long positions;
    private long targets;
    private long lossWeights;
    private long targetRows;
    private long dropoutKeys;

    /** @param moves called before rows go to other memory than those before */
    DeviceBatch(DeviceMemory memory, BatchPlans plans, Runnable moves) {
        this.memory = memory;
        this.plans = plans;
        this.rowMemory = new Workspace(memory, moves);
    }

    boolean is(PackedBatch other) {
        return batch == other;
    }

    void start(PackedBatch next) {
        batch = null;
        BatchShape nextShape = BatchShape.of(next);
        shape = nextShape;
        shapePlans = plans.of(nextShape);
        copyRows(next);
        batch = next;
    }

    private void copyRows(PackedBatch next) {
        int ints = aligned(next.rows() * Integer.BYTES);
        int targetInts = aligned(ProductRows.rounded(next.rows()) * Integer.BYTES);
        int keys = 4 * ints + targetInts;
        int bytes = keys + aligned(next.rows() * Long.BYTES);
        if (staging.capacity() < bytes) {
            staging = ByteBuffer.allocateDirect(2 * bytes).order(ByteOrder.nativeOrder());
        }
        staging.clear();
        targetCount = 0;
        for (int sequence = 0; sequence < next.sequences(); sequence++) {
            for (int row = next.sequenceStart(sequence); row < next.sequenceEnd(sequence); row++) {
                int at = row * Integer.BYTES;
                staging.putInt(at, next.token(row));
                staging.putInt(ints + at, row - next.sequenceStart(sequence));
                staging.putInt(2 * ints + at, next.target(row));
                staging.putFloat(3 * ints + at, next.lossWeight(row));
                if (next.target(row) >= 0) {
                    staging.putInt(4 * ints + targetCount++ * Integer.BYTES, row);
                }
                if (next.hasDropout()) {
                    staging.putLong(keys + row * Long.BYTES, next.dropoutKey(row));
                }
            }
        }
        repeatLastTarget(4 * ints);
        tokens = rowMemory.ofBytes(bytes);
        positions = tokens + ints;
        targets = positions + ints;
        lossWeights = targets + ints;
        targetRows = lossWeights + ints;
        dropoutKeys = next.hasDropout() ? targetRows + targetInts : 0;
        memory.copyIn(tokens, new Pointer(staging).address(), bytes);
    }

    /** So that products of the loss have as many rows as others; nothing comes of a row that comes again. */
    private void repeatLastTarget(int start) {
        if (targetCount > 0) {
            int last = staging.getInt(start + (targetCount - 1) * Integer.BYTES);
            for (int rounded = ProductRows.rounded(targetCount); targetCount < rounded; targetCount++) {
                staging.putInt(start + targetCount * Integer.BYTES, last);
            }
        }
    }

    private static int aligned(int bytes) {
        return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    long tokens() {
        return tokens;
    }

    /** Of each row within its sequence. */
    long positions() {
        return positions;
    }

    long targets() {
        return targets;
    }

    long lossWeights() {
        return lossWeights;
    }

    /** The rows that have a target and the last of them again, {@link #targetCount} in all. */
    long targetRows() {
        return targetRows;
    }

    int targetCount() {
        return targetCount;
    }

    /** 0 where the batch has no dropout. */
    long dropoutKeys() {
        return dropoutKeys;
    }

    BatchShape shape() {
        return Objects.requireNonNull(shape);
    }

    /** Launch plans for these rows. */
    BatchPlans.ShapePlans plans() {
        return Objects.requireNonNull(shapePlans);
    }
}
