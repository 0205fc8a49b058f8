package io.plora.kernels.cpu;

import io.plora.kernels.OptimizerStep;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;

/** AdamW and SGD with clipping, over blocks of all adapters' parameters at once. */
final class CpuOptimizer {
    private static final int BLOCK = 4096;
    /** Elements that are worth another thread. */
    private static final int GRAIN = 4 * BLOCK;

    private final Workers workers;

    CpuOptimizer(Workers workers) {
        this.workers = workers;
    }

    double[] optimize(List<OptimizerStep> steps) {
        double[] norms = norms(steps);
        List<Workers.Work> pieces = new ArrayList<>();
        for (int i = 0; i < steps.size(); i++) {
            OptimizerStep step = steps.get(i);
            boolean finite = Double.isFinite(norms[i]);
            float clip = (float) step.clipCoefficient(norms[i]);
            Update update = new Update(step, clip);
            if (finite) {
                pieces.addAll(cut(step, update::run));
            }
        }
        workers.run(pieces);
        return norms;
    }

    /** Squares are summed by blocks, then in order, so that the norm does not depend on threads. */
    private double[] norms(List<OptimizerStep> steps) {
        double[][] squares = new double[steps.size()][];
        List<Workers.Work> pieces = new ArrayList<>();
        for (int i = 0; i < steps.size(); i++) {
            FloatBuffer gradients = steps.get(i).adapter().gradients().floats();
            double[] sums = new double[(gradients.capacity() + GRAIN - 1) / GRAIN];
            squares[i] = sums;
            pieces.addAll(Workers.cut(gradients.capacity(), GRAIN, (from, to, scratch) -> {
                float[] values = scratch.heap(0, GRAIN);
                gradients.get(from, values, 0, to - from);
                sums[from / GRAIN] = Reductions.sumOfSquares(values, to - from);
            }));
        }
        workers.run(pieces);
        double[] norms = new double[squares.length];
        for (int i = 0; i < norms.length; i++) {
            double sum = 0;
            for (double square : squares[i]) {
                sum += square;
            }
            norms[i] = Math.sqrt(sum);
        }
        return norms;
    }

    /** Blocks that lie within A or within B. */
    private static List<Workers.Work> cut(OptimizerStep step, Workers.RangeWork work) {
        int offset = (int) step.adapter().bOffset();
        int end = (int) step.adapter().parameters().size();
        List<Workers.Work> pieces = new ArrayList<>(Workers.cut(offset, BLOCK, work));
        pieces.addAll(
                Workers.cut(end - offset, BLOCK, (from, to, scratch) -> work.run(offset + from, offset + to, scratch)));
        return pieces;
    }

    /** The update of one adapter. */
    private static final class Update {
        private static final float BETA1 = (float) OptimizerStep.BETA1;
        private static final float BETA2 = (float) OptimizerStep.BETA2;
        private static final float EPSILON = (float) OptimizerStep.EPSILON;
        private static final float REST1 = (float) (1 - OptimizerStep.BETA1);
        private static final float REST2 = (float) (1 - OptimizerStep.BETA2);

        private final OptimizerStep step;
        private final float clip;
        private final float correction1;
        private final float inverseCorrection2;

        Update(OptimizerStep step, float clip) {
            this.step = step;
            this.clip = clip;
            this.correction1 = (float) (1 / (1 - Math.pow(OptimizerStep.BETA1, step.step())));
            this.inverseCorrection2 = (float) (1 / Math.sqrt(1 - Math.pow(OptimizerStep.BETA2, step.step())));
        }

        void run(int from, int to, Scratch scratch) {
            double learningRate = from < step.adapter().bOffset() ? step.learningRateA() : step.learningRateB();
            int count = to - from;
            float[] gradients = scratch.heap(0, BLOCK);
            float[] parameters = scratch.heap(1, BLOCK);
            step.adapter().gradients().floats().get(from, gradients, 0, count);
            step.adapter().parameters().floats().get(from, parameters, 0, count);
            if (step.rule() == OptimizerStep.Rule.SGD) {
                descend(parameters, gradients, count, learningRate);
            } else {
                float[] first = scratch.heap(2, BLOCK);
                float[] second = scratch.heap(3, BLOCK);
                step.adapter().firstMoment().floats().get(from, first, 0, count);
                step.adapter().secondMoment().floats().get(from, second, 0, count);
                moments(gradients, first, second, count);
                adamW(parameters, first, second, count, learningRate);
                step.adapter().firstMoment().floats().put(from, first, 0, count);
                step.adapter().secondMoment().floats().put(from, second, 0, count);
            }
            step.adapter().parameters().floats().put(from, parameters, 0, count);
        }

        private void descend(float[] parameters, float[] gradients, int count, double learningRate) {
            float rate = (float) learningRate;
            float decay = (float) step.weightDecay();
            for (int i = 0; i < count; i++) {
                parameters[i] -= rate * (gradients[i] * clip + decay * parameters[i]);
            }
        }

        private void moments(float[] gradients, float[] first, float[] second, int count) {
            for (int i = 0; i < count; i++) {
                float gradient = gradients[i] * clip;
                first[i] = BETA1 * first[i] + REST1 * gradient;
                second[i] = BETA2 * second[i] + REST2 * gradient * gradient;
            }
        }

        private void adamW(float[] parameters, float[] first, float[] second, int count, double learningRate) {
            float kept = (float) (1 - learningRate * step.weightDecay());
            float rate = (float) (learningRate * correction1);
            for (int i = 0; i < count; i++) {
                float denominator = (float) Math.sqrt(second[i]) * inverseCorrection2 + EPSILON;
                parameters[i] = parameters[i] * kept - rate * first[i] / denominator;
            }
        }
    }
}
