package io.plora.plan;

import io.plora.cost.GroupTime;

/**
 * The baseline without packed kernels: jobs are chosen as {@link DtmPacking} does for packed ones, and run in a sweep whose time
 * model loops over the adapters, such as {@link io.plora.cost.SequentialTime}.
 */
public final class SequentialPlora implements PackingPolicy {
    private final DtmPacking packing;

    /** @param packed time of groups with packed kernels, by which jobs are chosen */
    public SequentialPlora(GroupTime packed) {
        packing = new DtmPacking(packed);
    }

    @Override
    public String name() {
        return "sequential PLoRA";
    }

    @Override
    public Decision decide(SweepState state) {
        return packing.decide(state);
    }
}
