package io.plora.cost;

/**
 * How long a configuration trains: its chain of optimizer steps, which no packing shortens, and what a step costs when its
 * batch is accumulated over micro-batches.
 *
 * @param samples n of an epoch
 * @param batchSize b; the last batch of an epoch may be smaller
 * @param epochs how often all samples are seen
 */
public record TrainingLength(int samples, int batchSize, int epochs) {

    public TrainingLength {
        if (samples < 1 || batchSize < 1 || epochs < 1) {
            throw new IllegalArgumentException(
                    "Training length: samples (%d), batchSize (%d) and epochs (%d) must be at least 1."
                            .formatted(samples, batchSize, epochs));
        }
    }

    /** ceil(n / b). */
    public long stepsPerEpoch() {
        return (samples + batchSize - 1L) / batchSize;
    }

    /** Optimizer steps of all epochs. */
    public long steps() {
        return stepsPerEpoch() * epochs;
    }

    /**
     * Iterations of all epochs if no iteration takes more than a number of samples: {@code ceil(b / m)} for each whole batch and
     * {@code ceil((n mod b) / m)} for the last.
     *
     * @param microBatch m
     */
    public long iterations(int microBatch) {
        requirePositive(microBatch);
        long wholeBatches = samples / batchSize;
        return (wholeBatches * iterationsOf(batchSize, microBatch) + iterationsOf(samples % batchSize, microBatch))
                * epochs;
    }

    /**
     * Seconds of the chain if nothing else ran in its group. Each iteration reads all base weights and the adapter's, and adds to
     * its gradients; the last of a batch also steps. A smaller micro-batch takes less memory, never less time.
     *
     * @param time of an iteration
     * @param degree devices of the group
     * @param parameters of the adapter
     * @param sampleTokens mean length of a sample
     * @param microBatch samples of an iteration, at most the batch's
     */
    public double chainSeconds(GroupTime time, int degree, long parameters, double sampleTokens, int microBatch) {
        requirePositive(microBatch);
        Chain chain = new Chain(time, degree, parameters, sampleTokens, microBatch);
        long wholeBatches = samples / batchSize;
        return (wholeBatches * chain.batchSeconds(batchSize) + chain.batchSeconds(samples % batchSize)) * epochs;
    }

    private record Chain(GroupTime time, int degree, long parameters, double sampleTokens, int microBatch) {

        double batchSeconds(int batch) {
            if (batch == 0) {
                return 0;
            }
            long before = iterationsOf(batch, microBatch) - 1;
            return before * seconds(microBatch, 0) + seconds(batch - before * microBatch, 1);
        }

        private double seconds(long samples, int steps) {
            double pairs = samples * sampleTokens * (sampleTokens + 1) / 2;
            return time.seconds(GroupWork.of(parameters, samples * sampleTokens, samples, pairs, steps), degree);
        }
    }

    private static long iterationsOf(int batch, int microBatch) {
        return (batch + microBatch - 1L) / microBatch;
    }

    private static void requirePositive(int microBatch) {
        if (microBatch < 1) {
            throw new IllegalArgumentException("microBatch (%d) must be at least 1.".formatted(microBatch));
        }
    }
}
