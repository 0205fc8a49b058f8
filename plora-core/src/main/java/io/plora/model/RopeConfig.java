package io.plora.model;

import org.jspecify.annotations.Nullable;

/**
 * Rotary embedding: base of the angles, and Llama 3's scaling where the model has it.
 *
 * @param theta base of the angles
 * @param scaling null for none
 */
public record RopeConfig(double theta, @Nullable Llama3Scaling scaling) {

    /**
     * Llama 3's scaling: long wavelengths are divided by {@code factor}, short ones kept, those between interpolated.
     *
     * @param originalMaxPositions context length of the pre-training that the wavelengths are compared with
     */
    public record Llama3Scaling(
            double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalMaxPositions) {}
}
