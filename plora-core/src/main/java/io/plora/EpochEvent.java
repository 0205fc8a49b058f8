package io.plora;

import org.jspecify.annotations.Nullable;

/**
 * A trial that completed an epoch.
 *
 * @param trialId the configuration's id
 * @param epoch passes over the training data completed, from 1
 * @param evaluation on validation data; null without such data
 */
public record EpochEvent(
        String trialId, int epoch, @Nullable Evaluation evaluation) {}
