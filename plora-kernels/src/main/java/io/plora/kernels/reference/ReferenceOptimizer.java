package io.plora.kernels.reference;

import io.plora.kernels.OptimizerStep;
import java.nio.DoubleBuffer;

/** AdamW and SGD as PyTorch defines them, with clipping by the gradient's norm. */
final class ReferenceOptimizer {
    private ReferenceOptimizer() {}

    /** Returns the norm before clipping. */
    static double step(OptimizerStep step) {
        DoubleBuffer gradients = step.adapter().gradients().doubles();
        double squares = 0;
        for (int i = 0; i < gradients.capacity(); i++) {
            squares += gradients.get(i) * gradients.get(i);
        }
        double norm = Math.sqrt(squares);
        for (int i = 0; i < gradients.capacity() && Double.isFinite(norm); i++) {
            update(step, i, gradients.get(i) * step.clipCoefficient(norm));
        }
        return norm;
    }

    private static void update(OptimizerStep step, int i, double gradient) {
        double learningRate = i < step.adapter().bOffset() ? step.learningRateA() : step.learningRateB();
        DoubleBuffer parameters = step.adapter().parameters().doubles();
        double parameter = parameters.get(i);
        switch (step.rule()) {
            case SGD -> parameters.put(i, parameter - learningRate * (gradient + step.weightDecay() * parameter));
            case ADAMW -> {
                double first = OptimizerStep.BETA1
                                * step.adapter().firstMoment().doubles().get(i)
                        + (1 - OptimizerStep.BETA1) * gradient;
                double second = OptimizerStep.BETA2
                                * step.adapter().secondMoment().doubles().get(i)
                        + (1 - OptimizerStep.BETA2) * gradient * gradient;
                step.adapter().firstMoment().doubles().put(i, first);
                step.adapter().secondMoment().doubles().put(i, second);
                double unbiasedFirst = first / (1 - Math.pow(OptimizerStep.BETA1, step.step()));
                double unbiasedSecond = second / (1 - Math.pow(OptimizerStep.BETA2, step.step()));
                double decayed = parameter * (1 - learningRate * step.weightDecay());
                double direction = unbiasedFirst / (Math.sqrt(unbiasedSecond) + OptimizerStep.EPSILON);
                parameters.put(i, decayed - learningRate * direction);
            }
        }
    }
}
