package io.plora.kernels.cuda;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.ImmutableIntArray;
import io.plora.kernels.LoraTable;
import io.plora.kernels.LoraTerm;
import io.plora.kernels.PackedProjection;

/**
 * What the launch plan of a projection depends on besides the batch; the same in all layers of a model.
 *
 * @param ranks (adapters, parts), 0 where there is no term
 * @param drops (adapters, parts), 1 where the term has dropout
 */
record TableShape(
        int inputs,
        int outputs,
        ImmutableIntArray partFrom,
        ImmutableIntArray partTo,
        ImmutableIntArray ranks,
        ImmutableIntArray drops) {

    static TableShape of(PackedProjection projection, LoraTable table) {
        ImmutableList<PackedProjection.Part> parts = ImmutableList.copyOf(projection.parts());
        ImmutableIntArray.Builder ranks = ImmutableIntArray.builder(table.adapters() * parts.size());
        ImmutableIntArray.Builder drops = ImmutableIntArray.builder(table.adapters() * parts.size());
        for (int adapter = 0; adapter < table.adapters(); adapter++) {
            for (int part = 0; part < parts.size(); part++) {
                LoraTerm term = table.term(adapter, part);
                ranks.add(term == null ? 0 : term.loraRank());
                drops.add(term != null && term.dropout() > 0 ? 1 : 0);
            }
        }
        return new TableShape(
                projection.inputs(),
                projection.outputs(),
                ImmutableIntArray.copyOf(parts.stream().mapToInt(PackedProjection.Part::from)),
                ImmutableIntArray.copyOf(parts.stream().mapToInt(PackedProjection.Part::to)),
                ranks.build(),
                drops.build());
    }

    int parts() {
        return partFrom.length();
    }

    /** Whether any adapter has a term. */
    boolean hasTerms() {
        return ranks.stream().anyMatch(rank -> rank > 0);
    }
}
