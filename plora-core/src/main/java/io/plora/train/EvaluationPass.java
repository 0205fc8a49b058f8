package io.plora.train;

import io.plora.data.Sample;
import io.plora.kernels.PackedBatch;
import java.util.ArrayList;
import java.util.List;

/** One pass of an evaluation: some of the pairs of adapter and sample, counted adapter by adapter. */
final class EvaluationPass {
    private final int first; // pair
    private final int end;
    private final int samples;
    private final PackedBatch batch;
    private final List<AdapterWeights> used = new ArrayList<>();

    /** As many pairs from the first on as the limits admit, one at least. */
    EvaluationPass(List<AdapterWeights> adapters, List<Sample> samples, int first, int tokenBudget, PassLimit limit) {
        this.first = first;
        this.samples = samples.size();
        BatchBuilder builder = new BatchBuilder();
        int pair = first;
        for (; pair < adapters.size() * samples.size(); pair++) {
            AdapterWeights adapter = adapters.get(pair / samples.size());
            int index = pair % samples.size();
            Sample sample = samples.get(index);
            if (builder.rows() > 0 && builder.rows() + sample.rows() > tokenBudget
                    || !limit.admits(builder.rows(), sample.rows())) {
                break;
            }
            if (used.isEmpty() || used.get(used.size() - 1) != adapter) {
                used.add(adapter);
                builder.adapter();
            }
            builder.sample(sample, 0, adapter.config(), 0, index);
        }
        end = pair;
        batch = builder.forEvaluation();
    }

    PackedBatch batch() {
        return batch;
    }

    /** The adapters that take part, in order. */
    List<AdapterWeights> adapters() {
        return used;
    }

    /** The pair that the next pass starts with. */
    int end() {
        return end;
    }

    /** Sums the losses of its rows into those of its pairs, by adapter and sample. */
    void sum(float[] rowLosses, double[][] losses) {
        for (int pair = first; pair < end; pair++) {
            double sum = 0;
            for (int row = batch.sequenceStart(pair - first); row < batch.sequenceEnd(pair - first); row++) {
                sum += rowLosses[row];
            }
            losses[pair / samples][pair % samples] = sum;
        }
    }
}
