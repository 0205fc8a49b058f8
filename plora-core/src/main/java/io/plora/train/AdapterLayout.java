package io.plora.train;

import io.plora.kernels.AdapterState;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the matrices of an adapter lie in its flat parameters: layer by layer and module by module, all A matrices first,
 * then all B matrices, so that each kind is one range for the optimizer.
 *
 * @param slots one per adapted module
 * @param bOffset where the B matrices start
 * @param size number of parameters
 */
record AdapterLayout(List<Slot> slots, long bOffset, long size) {

    /**
     * One adapted module.
     *
     * @param aOffset first element of A (rank, inputs)
     * @param bOffset first element of B (outputs, rank)
     */
    record Slot(int layer, TargetModule module, int rank, int inputs, int outputs, long aOffset, long bOffset) {}

    /** The matrices in the order in which they lie: an A for each slot, then a B for each. */
    List<AdapterState.Matrix> matrices() {
        List<AdapterState.Matrix> matrices = new ArrayList<>();
        slots.forEach(slot -> matrices.add(new AdapterState.Matrix(slot.rank(), slot.inputs(), false)));
        slots.forEach(slot -> matrices.add(new AdapterState.Matrix(slot.outputs(), slot.rank(), true)));
        return matrices;
    }

    static AdapterLayout of(ModelConfig model, LoraConfig config) {
        int rank = config.rank();
        long allA = 0;
        for (TargetModule module : config.targetModules()) {
            allA += (long) model.layers() * rank * model.inputs(module);
        }
        List<Slot> slots = new ArrayList<>();
        long a = 0;
        long b = allA;
        for (int layer = 0; layer < model.layers(); layer++) {
            for (TargetModule module : config.targetModules()) {
                int inputs = model.inputs(module);
                int outputs = model.outputs(module);
                slots.add(new Slot(layer, module, rank, inputs, outputs, a, b));
                a += (long) rank * inputs;
                b += (long) outputs * rank;
            }
        }
        return new AdapterLayout(List.copyOf(slots), allA, b);
    }
}
