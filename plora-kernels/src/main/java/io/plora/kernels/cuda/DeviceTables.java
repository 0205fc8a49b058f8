package io.plora.kernels.cuda;

import io.plora.kernels.Dropout;
import io.plora.kernels.LoraTable;
import io.plora.kernels.LoraTerm;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Tables of low-rank terms on the device, by identity: a group's tables stay as they are until an adapter joins or leaves. A table
 * that serves another projection than before is uploaded anew.
 */
final class DeviceTables {
    /** Tables kept, of which a model has four a layer; the least recently used goes first. */
    private static final int KEPT = 512;

    private final DeviceMemory memory;
    private final Runnable moves;
    private final Map<LoraTable, DeviceTable> tables = new LinkedHashMap<>(KEPT, 0.75f, true);

    /** @param moves called before a table goes */
    DeviceTables(DeviceMemory memory, Runnable moves) {
        this.memory = memory;
        this.moves = moves;
    }

    /** A table on the device: the address of its terms, (adapters, parts). */
    record DeviceTable(TableShape shape, List<PackedProjection.Part> parts, Tensor terms) {
        private boolean serves(PackedProjection projection) {
            return shape.inputs() == projection.inputs()
                    && shape.outputs() == projection.outputs()
                    && parts.equals(projection.parts());
        }
    }

    DeviceTable of(PackedProjection projection, LoraTable table) {
        DeviceTable known = tables.get(table);
        if (known != null && known.serves(projection)) {
            return known;
        }
        if (known != null) {
            drop(table);
        } else if (tables.size() == KEPT) {
            drop(tables.keySet().iterator().next());
        }
        DeviceTable added = upload(projection, table);
        tables.put(table, added);
        return added;
    }

    private void drop(LoraTable table) {
        moves.run();
        memory.arena().release(tables.remove(table).terms());
    }

    private DeviceTable upload(PackedProjection projection, LoraTable table) {
        int parts = projection.parts().size();
        long count = (long) table.adapters() * parts;
        try (Plora.Terms terms = new Plora.Terms(Math.max(1, count))) {
            for (int adapter = 0; adapter < table.adapters(); adapter++) {
                for (int part = 0; part < parts; part++) {
                    int module = projection.parts().get(part).module();
                    fill(terms.position((long) adapter * parts + part), table.term(adapter, part), module);
                }
            }
            return new DeviceTable(TableShape.of(projection, table), projection.parts(), memory.upload(terms, count));
        }
    }

    private static void fill(Plora.Terms to, @Nullable LoraTerm term, int module) {
        to.a(term == null ? 0 : term.a().address());
        to.b(term == null ? 0 : term.b().address());
        to.gradientA(address(term == null ? null : term.gradientA()));
        to.gradientB(address(term == null ? null : term.gradientB()));
        to.rank(term == null ? 0 : term.loraRank());
        to.bStride(term == null ? 0 : (int) term.b().dim(1));
        to.scale(term == null ? 0 : (float) term.scale());
        to.dropThreshold(term == null ? 0 : Dropout.threshold(term.dropout()));
        to.keepScale(term == null ? 1 : (float) Dropout.keepScale(term.dropout()));
        to.module(module);
    }

    private static long address(@Nullable Tensor tensor) {
        return tensor == null ? 0 : tensor.address();
    }
}
