package io.plora.plan;

/** Sees what happens in a {@link SweepProgress}, in order; the journal and the plan are written this way. */
public interface SweepObserver {

    /**
     * A policy decided.
     *
     * @param decision valid, about to be carried out
     * @param after the state that it leads to, iterations in progress
     */
    void decided(Decision decision, SweepState after);

    /**
     * A group finished an iteration.
     *
     * @param group as it was in the iteration
     */
    void finished(GroupState group);

    /**
     * A trial ended.
     *
     * @param trial as it is now
     */
    void ended(TrialState trial, EndReason reason);
}
