package io.plora.plan;

/**
 * Decides who trains with whom, where and when.
 *
 * <p>It is asked whenever a group is between two iterations or a device is free, and answers for all idle groups and free
 * devices. It is a pure function: equal states, equal decisions. The planner runs it on counted tokens, the executor on real
 * events.
 */
public interface PackingPolicy {

    /** For people, such as {@code greedy packing}. */
    String name();

    /**
     * What to do now.
     *
     * @throws IllegalArgumentException if a trial can never run, naming what it needs and what there is
     */
    Decision decide(SweepState state);
}
