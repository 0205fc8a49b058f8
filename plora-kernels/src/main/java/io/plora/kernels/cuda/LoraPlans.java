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
    private final ImmutableIntArray adapterStarts;
    private final ImmutableIntArray overwrites;
    private final Map<TableShape, DevicePlan> plans = new HashMap<>();

    LoraPlans(DeviceMemory memory, Plora.Device device, ImmutableIntArray adapterStarts, ImmutableIntArray overwrites) {
        this.memory = memory;
        this.device = device;
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
        return plans.values().stream().mapToLong(plan -> plan.tiles().bytes()).sum();
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
        Plora.LoraPlan plan = new Plora.LoraPlan();
        CudaLibrary.check(Plora.makeLoraPlan(shape, device, plan, null, 0));
        try (Plora.Tiles tiles = new Plora.Tiles(Math.max(1, plan.tiles()))) {
            CudaLibrary.check(Plora.makeLoraPlan(shape, device, plan, tiles, plan.tiles()));
            return new DevicePlan(plan, memory.upload(tiles, plan.tiles()));
        }
    }
}
