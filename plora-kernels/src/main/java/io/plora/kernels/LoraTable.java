package io.plora.kernels;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The low-rank terms of a group of adapters on one {@link PackedProjection}: one row an adapter, one column a part.
 *
 * <p>Gradients of different terms must not share memory: they are added to at the same time.
 */
public final class LoraTable {
    private final List<List<@Nullable LoraTerm>> terms;

    /**
     * @param terms for each adapter its term on each part, null where the adapter does not target the part
     * @throws IllegalArgumentException if adapters have different numbers of parts
     */
    public LoraTable(List<? extends List<? extends @Nullable LoraTerm>> terms) {
        List<List<@Nullable LoraTerm>> copy = new ArrayList<>();
        for (List<? extends @Nullable LoraTerm> row : terms) {
            if (row.size() != terms.get(0).size()) {
                throw new IllegalArgumentException("An adapter has terms for (%d) parts, another for (%d)."
                        .formatted(terms.get(0).size(), row.size()));
            }
            copy.add(Collections.unmodifiableList(new ArrayList<>(row)));
        }
        this.terms = Collections.unmodifiableList(copy);
    }

    public int adapters() {
        return terms.size();
    }

    /** Number of parts; 0 in a table without adapters. */
    public int parts() {
        return terms.isEmpty() ? 0 : terms.get(0).size();
    }

    public @Nullable LoraTerm term(int adapter, int part) {
        return terms.get(adapter).get(part);
    }

    /**
     * Elements that the low-rank activations of a row of an adapter take: the ranks of all parts, each padded to
     * {@link AdapterState#stride}.
     */
    public long lowRankSize(int adapter, DType type) {
        long size = 0;
        for (LoraTerm term : terms.get(adapter)) {
            size += term == null ? 0 : AdapterState.stride(type, term.loraRank());
        }
        return size;
    }

    /** Elements that the low-rank activations of a batch take: the sum over its rows. */
    public long lowRankSize(PackedBatch batch, DType type) {
        long size = 0;
        for (int adapter = 0; adapter < adapters(); adapter++) {
            size += batch.adapterRows(adapter) * lowRankSize(adapter, type);
        }
        return size;
    }
}
