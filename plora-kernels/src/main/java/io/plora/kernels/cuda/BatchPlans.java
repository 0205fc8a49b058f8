package io.plora.kernels.cuda;

import io.plora.kernels.Tensor;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.bytedeco.javacpp.IntPointer;

/** Launch plans by shape of batch: those of the current batch, and of shapes that may come again while they take little memory. */
final class BatchPlans {
    /** Shapes kept, the least recently used going first. */
    static final int KEPT = 64;

    /** Of all tiles on the device. */
    private static final long KEPT_BYTES = 16L << 20;

    private final DeviceMemory memory;
    private final Plora.Device device;
    private final Consumer<BatchShape> dropped;
    private final PlanBuffer buffer = new PlanBuffer();
    private final Map<BatchShape, ShapePlans> plans = new LinkedHashMap<>(KEPT, 0.75f, true);

    /** @param dropped told of a shape before its plans go */
    BatchPlans(DeviceMemory memory, Plora.Device device, Consumer<BatchShape> dropped) {
        this.memory = memory;
        this.device = device;
        this.dropped = dropped;
    }

    /**
     * Plans of one shape.
     *
     * @param attentionTiles of queries, and as many of keys
     */
    record ShapePlans(LoraPlans lora, Tensor attentionTiles, int attentionTileCount) {
        private long bytes() {
            return lora.bytes() + attentionTiles.bytes();
        }
    }

    ShapePlans of(BatchShape shape) {
        ShapePlans known = plans.get(shape);
        if (known == null) {
            known = make(shape);
            plans.put(shape, known);
            dropAbove(KEPT, KEPT_BYTES);
        }
        return known;
    }

    private ShapePlans make(BatchShape shape) {
        int sequences = shape.sequenceStarts().length() - 1;
        try (IntPointer starts = new IntPointer(shape.sequenceStarts().toArray());
                IntPointer count = new IntPointer(1)) {
            CudaLibrary.check(Plora.attentionPlan(starts, sequences, null, 0, count));
            int capacity = 2 * count.get();
            try (Plora.AttentionTiles tiles = new Plora.AttentionTiles(Math.max(1, capacity))) {
                CudaLibrary.check(Plora.attentionPlan(starts, sequences, tiles, capacity, count));
                LoraPlans lora = new LoraPlans(memory, device, buffer, shape.adapterStarts(), shape.overwrites());
                return new ShapePlans(lora, memory.upload(tiles, capacity), count.get());
            }
        }
    }

    /**
     * Lets go of all plans but those used last.
     *
     * @return whether there were any
     */
    boolean dropOthers() {
        int before = plans.size();
        dropAbove(1, 0);
        return plans.size() < before;
    }

    private void dropAbove(int count, long bytes) {
        Iterator<Map.Entry<BatchShape, ShapePlans>> eldest = plans.entrySet().iterator();
        long taken = plans.values().stream().mapToLong(ShapePlans::bytes).sum();
        while (plans.size() > 1 && (plans.size() > count || taken > bytes)) {
            Map.Entry<BatchShape, ShapePlans> entry = eldest.next();
            dropped.accept(entry.getKey());
            taken -= entry.getValue().bytes();
            memory.arena().release(entry.getValue().attentionTiles());
            entry.getValue().lora().close();
            eldest.remove();
        }
    }
}
