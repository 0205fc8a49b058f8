package io.plora.plan;

import io.plora.cost.Calibration;
import java.util.SortedMap;

/** Sees what happens in a {@link SweepProgress}, in order; the journal and the plan are written this way. */
public interface SweepObserver {

    /**
     * A policy decided.
     *
     * @param decision valid and begun
     * @param after the state that it leads to, iterations in progress
     */
    void decided(Decision decision, SweepState after);

    /**
     * A group finished iterations.
     *
     * @param group as it was in the iterations
     * @param iterations how many
     * @param samples what they took of each trial, in all
     */
    void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples);

    /**
     * A trial ended.
     *
     * @param trial as it is now
     */
    void ended(TrialState trial, EndReason reason);

    /**
     * A device failed: the group that had it, if any, is gone, and its members wait where their last whole batch ended.
     *
     * @param device index
     */
    void lost(int device);

    /** The times that the policy goes by were corrected. */
    default void calibrated(Calibration calibration) {}
}
