package io.plora.cost;

import io.plora.model.ModelConfig;
import io.plora.space.TargetModule;

/**
 * How long iterations take where nothing has been measured: a nominal rate, the same on every machine so that the same sweep
 * has the same plan. All operations run at 50 GFLOP/s; an iteration costs as much as 64 tokens' products more, because weights
 * have to be read for few tokens too. Policies only compare such times; a {@link Calibration} makes seconds of them.
 *
 * <pre>
 * products  = 4 operations a weight and token (forward, and backward to the input), and what is computed again
 * attention = 14 x query size x layers x pairs
 * pointwise = 10 operations a value of norms and SwiGLU, forward and twice backward, and what is computed again
 * low-rank  = 3 x {@link GroupWork#lowRankOperations}
 * loss      = 4 operations a value of the output layer and token
 * optimizer = 20 x {@link GroupWork#steppedParameters}
 * launches  = 64 x 4 operations a weight
 * host      = 0
 * </pre>
 */
public final class NominalTime implements PartedTime {
    private static final double OPERATIONS_PER_SECOND = 50e9;
    private static final double OPERATIONS_OF_A_POINTWISE_VALUE = 10;
    private static final double OPERATIONS_OF_A_STEP = 20;
    private static final int TOKENS_OF_AN_ITERATION = 64;

    private final ModelConfig model;
    private final ModelShard whole;
    private final ActivationPolicy policy;

    /** @param policy what is computed again */
    public NominalTime(ModelConfig model, ActivationPolicy policy) {
        this.model = model;
        this.policy = policy;
        whole = new ModelShard(model, 1);
    }

    @Override
    public IterationParts parts(GroupWork work, int degree) {
        return parts(work, new Passes(2, 7, 3, 3), productsAgain(), pointwiseAgain());
    }

    @Override
    public IterationParts evaluationParts(GroupWork work, int degree) {
        return parts(work, new Passes(1, 2, 1, 1), 0, 0);
    }

    /** Nothing is known of the machine. */
    @Override
    public double uncertainty() {
        return 0.9;
    }

    @Override
    public double machineUncertainty() {
        return 2;
    }

    /** How often each kind of operations of a forward pass's size is done. */
    private record Passes(int products, int attention, int pointwise, int lowRank) {}

    private IterationParts parts(GroupWork work, Passes passes, double productsAgain, double pointwiseAgain) {
        double products = 2.0 * passes.products() * model.layers() * whole.layerMatrices();
        double pointwise = OPERATIONS_OF_A_POINTWISE_VALUE * passes.pointwise() * pointwiseValues();
        double loss = 2.0 * passes.products() * whole.table();
        double tokens = work.tokens() / OPERATIONS_PER_SECOND;
        return new IterationParts(
                tokens * (products + productsAgain),
                2.0
                        * passes.attention()
                        * whole.query()
                        * model.layers()
                        * work.attentionPairs()
                        / OPERATIONS_PER_SECOND,
                tokens * (pointwise + pointwiseAgain),
                passes.lowRank() * work.lowRankOperations() / OPERATIONS_PER_SECOND,
                tokens * loss,
                OPERATIONS_OF_A_STEP * work.steppedParameters() / OPERATIONS_PER_SECOND,
                0,
                TOKENS_OF_AN_ITERATION * (products + loss) / OPERATIONS_PER_SECOND,
                0);
    }

    /** Of a token: norms and SwiGLU. */
    private double pointwiseValues() {
        return model.layers() * (2.0 * whole.hidden() + whole.intermediate());
    }

    private double productsAgain() {
        return policy == ActivationPolicy.KEEP_LAYER_INPUTS
                ? 2.0 * model.layers() * (whole.layerMatrices() - whole.matrix(TargetModule.DOWN_PROJ))
                : 0;
    }

    private double pointwiseAgain() {
        return policy == ActivationPolicy.KEEP_ALL ? 0 : OPERATIONS_OF_A_POINTWISE_VALUE * pointwiseValues();
    }
}
