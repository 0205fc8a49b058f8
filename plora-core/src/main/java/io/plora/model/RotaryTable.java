package io.plora.model;

import io.plora.model.RopeConfig.Llama3Scaling;

/**
 * Cosines and sines of the rotary embedding (Su et al. 2021).
 *
 * <p>Frequencies and angles are rounded to float32 as transformers rounds them: at position 8000 an exact angle would differ
 * from what the model was trained with by up to 2e-4.
 */
final class RotaryTable {

    private RotaryTable() {}

    /**
     * The table that {@link io.plora.kernels.Kernels#rotary} expects.
     *
     * @return (positions, headSize): cosines of the headSize / 2 angles, then their sines
     */
    static float[] of(RopeConfig rope, int positions, int headSize) {
        int half = headSize / 2;
        float[] frequencies = frequencies(rope, headSize);
        float[] table = new float[Math.multiplyExact(positions, headSize)];
        for (int position = 0; position < positions; position++) {
            for (int i = 0; i < half; i++) {
                float angle = position * frequencies[i];
                table[position * headSize + i] = (float) Math.cos(angle);
                table[position * headSize + half + i] = (float) Math.sin(angle);
            }
        }
        return table;
    }

    /** Angle per position of each pair: theta^(-2i / headSize), scaled where the model says so. */
    private static float[] frequencies(RopeConfig rope, int headSize) {
        float[] frequencies = new float[headSize / 2];
        for (int i = 0; i < frequencies.length; i++) {
            double frequency = 1 / Math.pow(rope.theta(), 2.0 * i / headSize);
            frequencies[i] = (float) (rope.scaling() == null ? frequency : scaled(frequency, rope.scaling()));
        }
        return frequencies;
    }

    private static double scaled(double frequency, Llama3Scaling scaling) {
        double turns = scaling.originalMaxPositions() * frequency / (2 * Math.PI);
        if (turns < scaling.lowFrequencyFactor()) {
            return frequency / scaling.factor();
        }
        if (turns > scaling.highFrequencyFactor()) {
            return frequency;
        }
        double kept =
                (turns - scaling.lowFrequencyFactor()) / (scaling.highFrequencyFactor() - scaling.lowFrequencyFactor());
        return (1 - kept) * frequency / scaling.factor() + kept * frequency;
    }
}
