package io.plora.kernels;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Random packed batches: some adapters without rows, some sequences of one row, some rows without a target. */
public final class RandomBatches {
    private final Random random;
    private int adapters = 3;
    private int longestSequence = 12;
    private int vocabulary = 10;
    private boolean dropout;
    private boolean gradientStarts;
    private boolean everyTarget;

    public RandomBatches(Random random) {
        this.random = random;
    }

    public RandomBatches withAdapters(int count) {
        adapters = count;
        return this;
    }

    public RandomBatches withLongestSequence(int rows) {
        longestSequence = rows;
        return this;
    }

    public RandomBatches withVocabulary(int size) {
        vocabulary = size;
        return this;
    }

    public RandomBatches withDropout(boolean wanted) {
        dropout = wanted;
        return this;
    }

    /** Whether some adapters' gradients start anew; otherwise all are added to. */
    public RandomBatches withGradientStarts(boolean wanted) {
        gradientStarts = wanted;
        return this;
    }

    /** Every row has a target. */
    public RandomBatches withEveryTarget() {
        everyTarget = true;
        return this;
    }

    /** A batch with at least one row. */
    public PackedBatch next() {
        int[] adapterStarts = new int[adapters + 1];
        List<Integer> sequenceStarts = new ArrayList<>(List.of(0));
        int rows = 0;
        for (int adapter = 0; adapter < adapters; adapter++) {
            boolean last = adapter == adapters - 1;
            int sequences = rows == 0 && last ? 1 : random.nextInt(4);
            for (int sequence = 0; sequence < sequences; sequence++) {
                rows += random.nextInt(4) == 0 ? 1 : 1 + random.nextInt(longestSequence);
                sequenceStarts.add(rows);
            }
            adapterStarts[adapter + 1] = rows;
        }
        return batch(adapterStarts, sequenceStarts.stream().mapToInt(i -> i).toArray(), rows);
    }

    /** A batch whose adapters have sequences of these lengths. */
    public PackedBatch ofLengths(int[]... sequenceLengths) {
        int[] adapterStarts = new int[sequenceLengths.length + 1];
        List<Integer> sequenceStarts = new ArrayList<>(List.of(0));
        int rows = 0;
        for (int adapter = 0; adapter < sequenceLengths.length; adapter++) {
            for (int length : sequenceLengths[adapter]) {
                rows += length;
                sequenceStarts.add(rows);
            }
            adapterStarts[adapter + 1] = rows;
        }
        return batch(adapterStarts, sequenceStarts.stream().mapToInt(i -> i).toArray(), rows);
    }

    private PackedBatch batch(int[] adapterStarts, int[] sequenceStarts, int rows) {
        int[] targets = random.ints(rows, 0, vocabulary).toArray();
        float[] lossWeights = new float[rows];
        for (int row = 0; row < rows; row++) {
            if (!everyTarget && random.nextInt(3) == 0) {
                targets[row] = -1;
            }
            lossWeights[row] = random.nextFloat();
        }
        long[] keys = dropout ? random.longs(rows).toArray() : null;
        boolean[] starts = new boolean[adapterStarts.length - 1];
        for (int adapter = 0; adapter < starts.length && gradientStarts; adapter++) {
            starts[adapter] = random.nextBoolean();
        }
        return new PackedBatch(
                adapterStarts,
                sequenceStarts,
                random.ints(rows, 0, vocabulary).toArray(),
                targets,
                lossWeights,
                keys,
                starts);
    }

    /** The rows of one adapter as a batch of their own. */
    public static PackedBatch alone(PackedBatch batch, int adapter) {
        int start = batch.adapterStart(adapter);
        int rows = batch.adapterRows(adapter);
        int[] tokens = new int[rows];
        int[] targets = new int[rows];
        float[] lossWeights = new float[rows];
        long[] keys = new long[rows];
        for (int row = 0; row < rows; row++) {
            tokens[row] = batch.token(start + row);
            targets[row] = batch.target(start + row);
            lossWeights[row] = batch.lossWeight(start + row);
            keys[row] = batch.hasDropout() ? batch.dropoutKey(start + row) : 0;
        }
        List<Integer> starts = new ArrayList<>();
        for (int sequence = 0; sequence < batch.sequences(); sequence++) {
            if (batch.sequenceStart(sequence) >= start && batch.sequenceEnd(sequence) <= start + rows) {
                starts.add(batch.sequenceStart(sequence) - start);
            }
        }
        int[] sequenceStarts = Arrays.copyOf(starts.stream().mapToInt(i -> i).toArray(), starts.size() + 1);
        sequenceStarts[starts.size()] = rows;
        return new PackedBatch(
                new int[] {0, rows}, sequenceStarts, tokens, targets, lossWeights, batch.hasDropout() ? keys : null);
    }
}
