package io.plora.cost;

/**
 * What one iteration of a group has to do, as sums over its members: the time of an iteration depends on these alone, and the
 * sums of several iterations describe their mean.
 *
 * @param tokens rows that go through the base model
 * @param sequences samples they belong to
 * @param attentionPairs sum over the samples of length x (length + 1) / 2: pairs of a query and a key
 * @param adapters members that take part
 * @param lowRankParameters parameters of the members that take part: each is read in the forward and the backward pass, and
 *     its gradient is read and written
 * @param lowRankOperations sum over members of tokens x parameters, times 2: multiply-adds of one pass over all low-rank terms
 * @param steppedParameters parameters of the members whose batch ends, so that the optimizer updates them
 */
public record GroupWork(
        double tokens,
        double sequences,
        double attentionPairs,
        double adapters,
        double lowRankParameters,
        double lowRankOperations,
        double steppedParameters) {

    public static final GroupWork NONE = new GroupWork(0, 0, 0, 0, 0, 0, 0);

    /**
     * Work of one member.
     *
     * @param parameters of its adapter, see {@link MemoryModel#adapterParameters}
     * @param batches how many of its batches end, at most 1 in a single iteration
     */
    public static GroupWork of(long parameters, double tokens, double sequences, double pairs, double batches) {
        return new GroupWork(tokens, sequences, pairs, 1, parameters, 2 * tokens * parameters, batches * parameters);
    }

    public GroupWork plus(GroupWork other) {
        return new GroupWork(
                tokens + other.tokens,
                sequences + other.sequences,
                attentionPairs + other.attentionPairs,
                adapters + other.adapters,
                lowRankParameters + other.lowRankParameters,
                lowRankOperations + other.lowRankOperations,
                steppedParameters + other.steppedParameters);
    }

    public GroupWork times(double factor) {
        return new GroupWork(
                tokens * factor,
                sequences * factor,
                attentionPairs * factor,
                adapters * factor,
                lowRankParameters * factor,
                lowRankOperations * factor,
                steppedParameters * factor);
    }

    /** The same with other optimizer steps. */
    public GroupWork withSteppedParameters(double parameters) {
        return new GroupWork(
                tokens, sequences, attentionPairs, adapters, lowRankParameters, lowRankOperations, parameters);
    }

    /** The kinds of work in the order of the components. */
    public double[] toArray() {
        return new double[] {
            tokens, sequences, attentionPairs, adapters, lowRankParameters, lowRankOperations, steppedParameters
        };
    }

    /** Back from {@link #toArray}. */
    public static GroupWork fromArray(double[] work) {
        return new GroupWork(work[0], work[1], work[2], work[3], work[4], work[5], work[6]);
    }

    /** Sum over the kinds of work of the products, such as of amounts and of prices. */
    public double dot(GroupWork other) {
        double[] left = toArray();
        double[] right = other.toArray();
        double sum = 0;
        for (int i = 0; i < left.length; i++) {
            sum += left[i] * right[i];
        }
        return sum;
    }
}
