package io.plora.kernels;

/**
 * One optimizer step of one adapter.
 *
 * @param adapter with the gradients of its whole batch, which the step leaves as they are
 * @param rule update rule
 * @param learningRateA learning rate of the A matrices
 * @param learningRateB learning rate of the B matrices (LoRA+)
 * @param weightDecay decoupled for AdamW, added to the gradient for SGD (as PyTorch does)
 * @param maxGradientNorm gradients are scaled down to this norm; 0 for no clipping
 * @param step number of this step, from 1
 */
public record OptimizerStep(
        AdapterState adapter,
        Rule rule,
        double learningRateA,
        double learningRateB,
        double weightDecay,
        double maxGradientNorm,
        long step) {

    /** AdamW's decay rates and epsilon, PyTorch's defaults. */
    public static final double BETA1 = 0.9;

    public static final double BETA2 = 0.999;
    public static final double EPSILON = 1e-8;

    /** What gradients of this norm are multiplied by, as PyTorch's clip_grad_norm_ does. */
    public double clipCoefficient(double norm) {
        return maxGradientNorm == 0 ? 1 : Math.min(1, maxGradientNorm / (norm + 1e-6));
    }

    /** Update rules. */
    public enum Rule {
        /** Loshchilov and Hutter 2019, bias-corrected. */
        ADAMW,
        /** Plain gradient descent without momentum. */
        SGD
    }
}
