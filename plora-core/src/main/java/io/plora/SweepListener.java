package io.plora;

/**
 * Hears what a sweep does. Implement what interests you.
 *
 * <p>Calls come one at a time, if from different threads, in an order in which things happened: first {@link #sweepStarted},
 * last either {@link #sweepEnded} or {@link #sweepFailed}. A sweep that is refused, because something about it is wrong, throws
 * and is not heard of here. Training waits while a listener works. A listener that throws an
 * exception is reported once and does not stop the sweep; it goes on hearing events.
 */
public interface SweepListener {

    default void sweepStarted(SweepStart start) {}

    /**
     * How the sweep is going to go about its work, if nothing fails; right after {@link #sweepStarted}. It is not worked out
     * for sweeps of more than some ten thousand optimizer steps, as that would take a while ({@link LoraSweep#plan} does it
     * all the same), and not when a journal is replayed.
     *
     * @param plan text for a person
     */
    default void sweepPlanned(String plan) {}

    /**
     * An iteration of a group is done; {@link #epochCompleted} of its members follows, and {@link #trialEnded} once files are
     * written, maybe after other iterations.
     */
    default void stepCompleted(StepEvent event) {}

    default void epochCompleted(EpochEvent event) {}

    default void trialFailed(FailureEvent event) {}

    /** A trial ended, well or not; its files are on disk. A trial of a cancelled sweep goes on when the sweep is run again. */
    default void trialEnded(Trial trial) {}

    default void sweepEnded(SweepResult result) {}

    /** The sweep as a whole was ended by an error and has no result. */
    default void sweepFailed(Throwable cause) {}
}
