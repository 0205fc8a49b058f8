package io.plora.kernels.cuda;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.kernels.PackedBatch;

/**
 * What launch plans depend on of a batch.
 *
 * @param adapterStarts first row of each adapter, then the number of rows
 * @param sequenceStarts likewise of each sequence
 * @param overwrites for each adapter, 1 where the backward pass starts its gradients
 */
record BatchShape(ImmutableIntArray adapterStarts, ImmutableIntArray sequenceStarts, ImmutableIntArray overwrites) {

    static BatchShape of(PackedBatch batch) {
        ImmutableIntArray.Builder adapterStarts = ImmutableIntArray.builder(batch.adapters() + 1);
        ImmutableIntArray.Builder overwrites = ImmutableIntArray.builder(batch.adapters());
        for (int adapter = 0; adapter < batch.adapters(); adapter++) {
            adapterStarts.add(batch.adapterStart(adapter));
            overwrites.add(batch.startsGradients(adapter) ? 1 : 0);
        }
        ImmutableIntArray.Builder sequenceStarts = ImmutableIntArray.builder(batch.sequences() + 1);
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            sequenceStarts.add(batch.sequenceStart(sequence));
        }
        return new BatchShape(
                adapterStarts.add(batch.rows()).build(),
                sequenceStarts.add(batch.rows()).build(),
                overwrites.build());
    }
}
