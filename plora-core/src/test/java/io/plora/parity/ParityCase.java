package io.plora.parity;

import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import io.plora.adapter.PeftAdapter;
import io.plora.data.Sample;
import io.plora.space.LoraConfig;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;

/**
 * One training as PEFT ran it, one optimizer step a batch, and how far another run is from it.
 *
 * @param model name of the base model's folder
 * @param warmupSteps optimizer steps of warm-up, as transformers counts them
 * @param batches the samples of each optimizer step; the loss is the mean over all answer tokens of a batch
 * @param initial A and B before training; B is not zero
 * @param firstGradient gradient of A and B in the first step, before clipping
 * @param trained A and B after the last step
 * @param logits of the first sample before training
 */
public record ParityCase(
        String name,
        String model,
        LoraConfig config,
        int warmupSteps,
        List<List<Sample>> batches,
        List<ParityStep> steps,
        SortedMap<ModuleKey, LoraMatrices> initial,
        SortedMap<ModuleKey, LoraMatrices> firstGradient,
        SortedMap<ModuleKey, LoraMatrices> trained,
        ParityLogits logits) {

    /** What to start from. */
    public PeftAdapter initialAdapter() {
        return new PeftAdapter(config, model, initial);
    }

    /** Relative error of a step's loss; steps count from 0. */
    public double lossError(int step, double loss) {
        double expected = steps.get(step).loss();
        return Math.abs(loss - expected) / Math.abs(expected);
    }

    /**
     * Relative error of a step's gradient, by projections; exact up to a tenth as a rule.
     *
     * @param gradient of A and B, before clipping
     */
    public double gradientError(int step, Map<ModuleKey, LoraMatrices> gradient) {
        return steps.get(step).gradientError(ParityNumbers.project(LoraVectors.flat(gradient)));
    }

    /** Relative error of the first step's gradient, over all its values. */
    public double firstGradientError(Map<ModuleKey, LoraMatrices> gradient) {
        return LoraVectors.relativeError(LoraVectors.flat(gradient), LoraVectors.flat(firstGradient));
    }

    /** Relative error of the movement (final minus initial) of all A. */
    public double movementErrorOfA(Map<ModuleKey, LoraMatrices> modules) {
        return LoraVectors.movementError(modules, trained, initial, LoraMatrices::a);
    }

    /** Relative error of the movement of all B. */
    public double movementErrorOfB(Map<ModuleKey, LoraMatrices> modules) {
        return LoraVectors.movementError(modules, trained, initial, LoraMatrices::b);
    }

    @Override
    public String toString() {
        return name;
    }
}
