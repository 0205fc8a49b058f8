package io.plora.train;

import io.plora.kernels.DType;
import io.plora.kernels.LoraTable;
import io.plora.kernels.PackedBatch;

/**
 * Elements of the low-rank activations of a layer, by projection; the same in every layer, as adapters target the same
 * modules in each.
 */
record LowRankSizes(long qkv, long o, long gateUp, long down) {

    /** What a batch needs. */
    static LowRankSizes of(GroupTables.Layer tables, PackedBatch batch, DType type) {
        return new LowRankSizes(
                tables.qkv().lowRankSize(batch, type),
                tables.o().lowRankSize(batch, type),
                tables.gateUp().lowRankSize(batch, type),
                tables.down().lowRankSize(batch, type));
    }

    /** What any batch of so many rows needs at most. */
    static LowRankSizes most(GroupTables.Layer tables, long rows, DType type) {
        return new LowRankSizes(
                rows * largest(tables.qkv(), type),
                rows * largest(tables.o(), type),
                rows * largest(tables.gateUp(), type),
                rows * largest(tables.down(), type));
    }

    private static long largest(LoraTable table, DType type) {
        long largest = 0;
        for (int adapter = 0; adapter < table.adapters(); adapter++) {
            largest = Math.max(largest, table.lowRankSize(adapter, type));
        }
        return largest;
    }

    /** Enough for both. */
    LowRankSizes max(LowRankSizes other) {
        return new LowRankSizes(
                Math.max(qkv, other.qkv),
                Math.max(o, other.o),
                Math.max(gateUp, other.gateUp),
                Math.max(down, other.down));
    }

    boolean holds(LowRankSizes needed) {
        return max(needed).equals(this);
    }
}
