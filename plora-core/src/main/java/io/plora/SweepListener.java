package io.plora;

/**
 * Hears what a sweep does. Implement what interests you.
 *
 * <p>Calls come one at a time, if from different threads, in an order in which things happened: first {@link #sweepStarted},
 * last either {@link #sweepEnded} or {@link #sweepFailed}. Training waits while a listener works. A listener that throws an
 * exception is reported once and does not stop the sweep; it goes on hearing events.
 */
public interface SweepListener {

    default void sweepStarted(SweepStart start) {}

    /**
     * The sweep has decided how it goes about its work.
     *
     * @param plan text for a person
     */
    default void sweepPlanned(String plan) {}

    default void stepCompleted(StepEvent event) {}

    default void epochCompleted(EpochEvent event) {}

    default void trialFailed(FailureEvent event) {}

    /** A trial ended, well or not; its files are on disk. */
    default void trialEnded(Trial trial) {}

    default void sweepEnded(SweepResult result) {}

    /** The sweep as a whole was ended by an error and has no result. */
    default void sweepFailed(Throwable cause) {}
}
