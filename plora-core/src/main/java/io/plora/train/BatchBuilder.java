package io.plora.train;

import com.google.common.primitives.Booleans;
import com.google.common.primitives.ImmutableIntArray;
import com.google.common.primitives.ImmutableLongArray;
import io.plora.data.Sample;
import io.plora.kernels.Dropout;
import io.plora.kernels.PackedBatch;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.List;

/** Packs samples into a {@link PackedBatch}, adapter by adapter. */
final class BatchBuilder {
    private final ImmutableIntArray.Builder adapterStarts = ImmutableIntArray.builder();
    private final ImmutableIntArray.Builder sequenceStarts = ImmutableIntArray.builder();
    private final ImmutableIntArray.Builder tokens = ImmutableIntArray.builder();
    private final ImmutableIntArray.Builder targets = ImmutableIntArray.builder();
    private final ImmutableLongArray.Builder dropoutKeys = ImmutableLongArray.builder();
    private final List<Float> lossWeights = new ArrayList<>(); // of each sample
    private final List<Boolean> gradientStarts = new ArrayList<>(); // of each adapter
    private final SampleLengths lengths;
    private int rows;

    BatchBuilder() {
        this(SampleLengths.OWN);
    }

    BatchBuilder(SampleLengths lengths) {
        this.lengths = lengths;
    }

    SampleLengths lengths() {
        return lengths;
    }

    /** Rows so far. */
    int rows() {
        return rows;
    }

    /** Starts the rows of the next adapter, whose gradients are added to. */
    BatchBuilder adapter() {
        return adapter(false);
    }

    /**
     * Starts the rows of the next adapter.
     *
     * @param startsGradients whether its gradients start anew
     */
    BatchBuilder adapter(boolean startsGradients) {
        adapterStarts.add(rows);
        gradientStarts.add(startsGradients);
        return this;
    }

    /**
     * Adds a sample for the current adapter.
     *
     * @param lossWeight factor of its tokens' losses in the gradient
     */
    BatchBuilder sample(Sample sample, float lossWeight, LoraConfig config, int epoch, int index) {
        sequenceStarts.add(rows);
        lossWeights.add(lossWeight);
        boolean drops = config.dropout() > 0; // without dropout nobody asks for keys
        long adapter = drops ? config.key() : 0;
        for (int position = 0; position < sample.rows(); position++) {
            boolean trained = sample.answer()[position + 1];
            tokens.add(sample.tokens()[position]);
            targets.add(trained ? sample.tokens()[position + 1] : -1);
            dropoutKeys.add(!drops ? 0 : Dropout.rowKey(config.seed(), adapter, epoch, index, position));
        }
        int length = lengths.of(sample);
        for (int position = sample.rows(); position < length; position++) {
            tokens.add(0);
            targets.add(-1);
            dropoutKeys.add(0);
        }
        rows += length;
        return this;
    }

    PackedBatch forTraining() {
        return build(true);
    }

    /** Without dropout. */
    PackedBatch forEvaluation() {
        return build(false);
    }

    private PackedBatch build(boolean dropout) {
        int[] starts = sequenceStarts.add(rows).build().toArray();
        int[] targetOfRow = targets.build().toArray();
        float[] weights = new float[rows];
        for (int sequence = 0; sequence < starts.length - 1; sequence++) {
            for (int row = starts[sequence]; row < starts[sequence + 1]; row++) {
                weights[row] = targetOfRow[row] < 0 ? 0 : lossWeights.get(sequence);
            }
        }
        return new PackedBatch(
                adapterStarts.add(rows).build().toArray(),
                starts,
                tokens.build().toArray(),
                targetOfRow,
                weights,
                dropout ? dropoutKeys.build().toArray() : null,
                Booleans.toArray(gradientStarts));
    }
}
