package io.plora;

/**
 * A trial that failed. Its {@link SweepListener#trialEnded} follows.
 *
 * @param trialId the configuration's id
 * @param step number of the optimizer step that it failed in, from 1
 * @param message what happened
 */
public record FailureEvent(String trialId, long step, String message) {}
