package io.plora.kernels.cuda;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.kernels.Tensor;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.javacpp.IntPointer;

/** Launch plans for the rows of some batches, one for each shape of projection. */
final class LoraPlans {
    private final DeviceMemory memory;
    private final Plora.Device device;
    private final PlanBuffer buffer;
    private final ImmutableIntArray adapterStarts;
    private final ImmutableIntArray overwrites;
    private final Map<TableShape, DevicePlan> plans = new HashMap<>();
    private long bytes;

    LoraPlans(
            DeviceMemory memory,
            Plora.Device device,
            PlanBuffer buffer,
            ImmutableIntArray adapterStarts,
            ImmutableIntArray overwrites) {
        this.memory = memory;
        this.device = device;
        this.buffer = buffer;
        this.adapterStarts = adapterStarts;
        this.overwrites = overwrites;
    }

    /** A plan and its tiles on the device. */
    record DevicePlan(Plora.LoraPlan plan, Tensor tiles) {}

    DevicePlan of(TableShape shape) {
        return plans.computeIfAbsent(shape, this::make);
    }

    /** Of the device's memory. */
    long bytes() {
        return bytes;
    }

    void close() {
        for (DevicePlan plan : plans.values()) {
            memory.arena().release(plan.tiles());
            plan.plan().close();
        }
        plans.clear();
    }

    private DevicePlan make(TableShape shape) {
        try (Plora.LoraShape plora = new Plora.LoraShape();
                IntPointer starts = new IntPointer(adapterStarts.toArray());
                IntPointer partFrom = new IntPointer(shape.partFrom().toArray());
                IntPointer partTo = new IntPointer(shape.partTo().toArray());
                IntPointer ranks = new IntPointer(shape.ranks().toArray());
                IntPointer drops = new IntPointer(shape.drops().toArray());
                IntPointer fresh = new IntPointer(overwrites.toArray())) {
            plora.adapters(adapterStarts.length() - 1);
            plora.parts(shape.parts());
            plora.inputs(shape.inputs());
            plora.outputs(shape.outputs());
            plora.adapterStarts(starts);
            plora.partFrom(partFrom);
            plora.partTo(partTo);
            plora.ranks(ranks);
            plora.drops(drops);
            plora.overwrites(fresh);
            return make(plora);
        }
    }

    private DevicePlan make(Plora.LoraShape shape) {
        Plora.LoraPlan plan = buffer.make(shape, device);
        Tensor tiles = memory.upload(buffer.tiles(), plan.tiles());
        bytes += tiles.bytes();
        return new DevicePlan(plan, tiles);
    }
}
