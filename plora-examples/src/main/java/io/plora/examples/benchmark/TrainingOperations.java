package io.plora.examples.benchmark;

import io.plora.cost.MemoryModel;
import io.plora.data.Sample;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Set;

/**
 * Floating-point operations that training an adapter on samples needs, a multiply-add counting as two; the same packed and
 * alone.
 *
 * <p>With L layers, H hidden size, V vocabulary, d head size, W the sum of (in x out) over a layer's seven projections, W1 the
 * same over q, k and v, p the adapter's parameters and p1 those of A on the first layer's q, k and v; for a sample of n rows
 * of which m have a target:
 *
 * <pre>
 * frozen products, forward and backward to their input   n (4 L W - 2 W1)
 * low-rank terms: forward, gradients of A, B and input   n (6 p - 2 p1)
 * attention: 2 products forward, 4 backward              12 L heads d n (n + 1) / 2
 * output layer: logits and their gradient                4 m V H
 * </pre>
 *
 * <p>The first layer's q, k and v need no gradient of their input, hence the subtractions. Frozen weights get no gradient. Not
 * counted: what is recomputed (attention scores in the backward pass), scores that the causal mask discards, norms,
 * activations, the optimizer.
 */
record TrainingOperations(ModelConfig model) {
    private static final Set<TargetModule> QKV =
            EnumSet.of(TargetModule.Q_PROJ, TargetModule.K_PROJ, TargetModule.V_PROJ);

    /** Operations of an adapter's pass over samples. */
    double of(LoraConfig config, Collection<Sample> samples) {
        return samples.stream().mapToDouble(sample -> of(config, sample)).sum();
    }

    private double of(LoraConfig config, Sample sample) {
        double rows = sample.rows();
        return rows * (frozen() + lowRank(config))
                + 12.0 * model.layers() * model.attentionShape().outputSize() * rows * (rows + 1) / 2
                + 4.0 * sample.answerTokens() * model.vocabularySize() * model.hiddenSize();
    }

    private double frozen() {
        return 4.0 * model.layers() * weights(EnumSet.allOf(TargetModule.class)) - 2.0 * weights(QKV);
    }

    private double weights(Set<TargetModule> modules) {
        return modules.stream()
                .mapToDouble(module -> (double) model.inputs(module) * model.outputs(module))
                .sum();
    }

    private double lowRank(LoraConfig config) {
        double firstA = config.targetModules().stream()
                .filter(QKV::contains)
                .mapToDouble(module -> (double) config.rank() * model.inputs(module))
                .sum();
        return 6.0 * MemoryModel.adapterParameters(model, config) - 2 * firstA;
    }
}
