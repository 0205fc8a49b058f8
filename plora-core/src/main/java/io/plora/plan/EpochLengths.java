package io.plora.plan;

import java.util.Arrays;
import java.util.IntSummaryStatistics;

/** Lengths of the samples of an epoch, in the order of one or more trials. The array is not copied: they are many. */
final class EpochLengths {
    private final int[] lengths;
    private final int shortest;
    private final int longest;
    private final long tokens;
    private final double pairs;

    /** @param lengths not changed afterwards */
    EpochLengths(int[] lengths) {
        this.lengths = lengths;
        IntSummaryStatistics statistics = Arrays.stream(lengths).summaryStatistics();
        shortest = statistics.getMin();
        longest = statistics.getMax();
        tokens = tokens(0, lengths.length);
        pairs = pairs(0, lengths.length);
    }

    boolean isOf(int[] array) {
        return lengths == array;
    }

    int samples() {
        return lengths.length;
    }

    int get(int sample) {
        return lengths[sample];
    }

    int shortest() {
        return shortest;
    }

    int longest() {
        return longest;
    }

    long tokens() {
        return tokens;
    }

    /** Pairs of a query and a key. */
    double pairs() {
        return pairs;
    }

    /** Standard deviation of a sample's length. */
    double deviation() {
        double mean = (double) tokens / lengths.length;
        double squares = 0;
        for (int length : lengths) {
            squares += (length - mean) * (length - mean);
        }
        return Math.sqrt(squares / lengths.length);
    }

    long tokens(int from, int to) {
        long sum = 0;
        for (int i = from; i < to; i++) {
            sum += lengths[i];
        }
        return sum;
    }

    double pairs(int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += 0.5 * lengths[i] * (lengths[i] + 1.0);
        }
        return sum;
    }
}
