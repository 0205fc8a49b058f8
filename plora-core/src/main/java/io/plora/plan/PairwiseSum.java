package io.plora.plan;

/**
 * The sum of numbers that change one by one. It depends on the numbers alone, not on how they came about, as one that is
 * corrected by each change would by its rounding errors.
 */
final class PairwiseSum {
    /** The number at i is at size + i, the sum of the nodes at 2 i and 2 i + 1 at i. */
    private final double[] nodes;

    private final int size;

    /** @param count of the numbers, all 0 */
    PairwiseSum(int count) {
        size = Math.max(2, 2 * Integer.highestOneBit(Math.max(1, count - 1)));
        nodes = new double[2 * size];
    }

    void set(int index, double value) {
        int node = size + index;
        nodes[node] = value;
        while (node > 1) {
            node /= 2;
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1];
        }
    }

    double total() {
        return nodes[1];
    }
}
