package io.plora.train;

import io.plora.kernels.LoraTable;
import io.plora.kernels.LoraTerm;
import io.plora.space.TargetModule;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The low-rank terms of a group of adapters on every projection of every layer. */
final class GroupTables {

    /** The tables of one layer, in the order in which a step uses them. */
    record Layer(LoraTable qkv, LoraTable o, LoraTable gateUp, LoraTable down) {}

    private final List<Layer> layers = new ArrayList<>();

    GroupTables(List<AdapterWeights> adapters, int layerCount) {
        for (int layer = 0; layer < layerCount; layer++) {
            layers.add(new Layer(
                    table(adapters, layer, TargetModule.Q_PROJ, TargetModule.K_PROJ, TargetModule.V_PROJ),
                    table(adapters, layer, TargetModule.O_PROJ),
                    table(adapters, layer, TargetModule.GATE_PROJ, TargetModule.UP_PROJ),
                    table(adapters, layer, TargetModule.DOWN_PROJ)));
        }
    }

    private static LoraTable table(List<AdapterWeights> adapters, int layer, TargetModule... modules) {
        List<List<@Nullable LoraTerm>> rows = new ArrayList<>();
        for (AdapterWeights adapter : adapters) {
            List<@Nullable LoraTerm> row = new ArrayList<>();
            for (TargetModule module : modules) {
                row.add(adapter.term(layer, module));
            }
            rows.add(row);
        }
        return new LoraTable(rows);
    }

    Layer layer(int layer) {
        return layers.get(layer);
    }
}
