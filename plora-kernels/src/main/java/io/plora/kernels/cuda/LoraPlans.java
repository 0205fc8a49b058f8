package io.plora.kernels.cuda;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.javacpp.IntPointer;

/** Launch plans for the rows of the current batch, one for each shape of projection. */
final class LoraPlans {
    private final DeviceMemory memory;
    private final Plora.Device device;
    private final Map<TableShape, DevicePlan> plans = new HashMap<>();
    private ImmutableIntArray adapterStarts = ImmutableIntArray.of(0);
    private ImmutableIntArray overwrites = ImmutableIntArray.of();

    LoraPlans(DeviceMemory memory, Plora.Device device) {
        this.memory = memory;
        this.device = device;
    }

    /** A plan and its tiles on the device. */
    record DevicePlan(Plora.LoraPlan plan, Tensor tiles) {}

    /** Plans are for the rows of this batch from now on. */
    void start(PackedBatch batch) {
        ImmutableIntArray.Builder starts = ImmutableIntArray.builder(batch.adapters() + 1);
        ImmutableIntArray.Builder fresh = ImmutableIntArray.builder(batch.adapters());
        for (int adapter = 0; adapter < batch.adapters(); adapter++) {
            starts.add(batch.adapterStart(adapter));
            fresh.add(batch.startsGradients(adapter) ? 1 : 0);
        }
        use(starts.add(batch.rows()).build(), fresh.build());
    }

    private void use(ImmutableIntArray starts, ImmutableIntArray fresh) {
        if (!starts.equals(adapterStarts) || !fresh.equals(overwrites)) {
            clear();
            adapterStarts = starts;
            overwrites = fresh;
        }
    }

    private void clear() {
        for (DevicePlan plan : plans.values()) {
            memory.arena().release(plan.tiles());
            plan.plan().close();
        }
        plans.clear();
    }

    DevicePlan of(TableShape shape) {
        return plans.computeIfAbsent(shape, this::make);
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
