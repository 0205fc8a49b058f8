package io.plora.plan;

/** How long the training samples are, in the order in which a trial sees them. */
@FunctionalInterface
public interface SampleLengths {

    /**
     * Lengths in tokens of all samples of an epoch. Every trial sees the same samples in every epoch, in an order of its own.
     *
     * @param trial index
     * @param epoch from 0
     */
    int[] lengths(int trial, int epoch);
}
