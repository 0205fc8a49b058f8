package io.plora.cost;

import io.plora.model.ModelConfig;
import io.plora.space.TargetModule;

/**
 * How long iterations take where nothing has been measured: a nominal rate, the same on every machine so that the same sweep
 * has the same plan. A token costs 4 operations a weight (forward, and backward to the input) and what its activation policy
 * computes again, at 50 GFLOP/s; an iteration costs 64 tokens more, because weights have to be read for few tokens too.
 * Policies only compare such times.
 */
public final class NominalTime implements GroupTime {
    private static final double OPERATIONS_PER_SECOND = 50e9;
    private static final double OPERATIONS_OF_A_POINTWISE_VALUE = 10;
    private static final int TOKENS_OF_AN_ITERATION = 64;

    private final double secondsOfToken;

    public NominalTime(ModelConfig model, ActivationPolicy policy) {
        double operations = 4.0 * MemoryModel.baseParameters(model) + again(model, policy);
        secondsOfToken = operations / OPERATIONS_PER_SECOND;
    }

    /** Operations of a token that are done twice. */
    private static double again(ModelConfig model, ActivationPolicy policy) {
        ModelShard whole = new ModelShard(model, 1);
        return switch (policy) {
            case KEEP_ALL -> 0;
            case RECOMPUTE_POINTWISE ->
                OPERATIONS_OF_A_POINTWISE_VALUE * model.layers() * (2.0 * whole.hidden() + whole.intermediate());
            case KEEP_LAYER_INPUTS ->
                2.0 * model.layers() * (whole.layerMatrices() - whole.matrix(TargetModule.DOWN_PROJ));
        };
    }

    @Override
    public double seconds(GroupWork work, int degree) {
        return (TOKENS_OF_AN_ITERATION + work.tokens()) * secondsOfToken;
    }
}
