package io.plora.cost;

import io.plora.kernels.DType;
import io.plora.space.TargetModule;

/**
 * What a pass through one layer costs one device, in bf16; passes add up.
 *
 * @param productOperations of frozen matrices, for a token
 * @param weightBytes of frozen matrices, once
 * @param productBytes inputs and outputs of frozen matrices, for a token
 * @param attentionOperations for a pair of query and key
 * @param pointwiseBytes between the products, for a token
 * @param lowRankPasses how often {@link GroupWork#lowRankOperations} are done
 * @param lowRankTokenBytes inputs and outputs of low-rank terms, for a token
 * @param lowRankParameterBytes weights and gradients of low-rank terms, for a parameter, whichever layer it is in
 * @param reductions sums of hidden states over the group's devices
 * @param gathers of low-rank activations from the group's devices
 * @param kernels how many
 */
record PassCosts(
        double productOperations,
        double weightBytes,
        double productBytes,
        double attentionOperations,
        double pointwiseBytes,
        double lowRankPasses,
        double lowRankTokenBytes,
        double lowRankParameterBytes,
        double reductions,
        double gathers,
        double kernels) {

    /** Groups of modules with one input: q, k and v; o; gate and up; down. */
    static final int PROJECTIONS = 4;

    private static final int ACTIVATION = DType.BF16.bytes();
    private static final double GRADIENT_READ_AND_WRITTEN = 2.0 * DType.F32.bytes();

    // of a layer: a frozen product and two or three low-rank kernels in each projection; norms, rotary embedding,
    // attention,
    // SwiGLU, residual copies
    private static final int FORWARD_KERNELS = 20;
    private static final int BACKWARD_KERNELS = 24;

    private static final PassCosts NONE = new PassCosts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

    static PassCosts forward(ModelShard shard, WeightFormat format) {
        double h = shard.hidden();
        double rotated = shard.qkv() - shard.key();
        // two norms and two residual copies read and write H; rotary embedding; attention; SwiGLU
        double pointwise = 8 * h + 2 * rotated + (shard.qkv() + shard.query()) + 3.0 * shard.intermediate();
        return new PassCosts(
                2.0 * shard.layerMatrices(),
                weightBytes(shard, format),
                ACTIVATION * (inputs(shard) + outputs(shard)),
                2 * 2.0 * shard.query(), // scores and their use
                ACTIVATION * pointwise,
                1,
                ACTIVATION * (inputs(shard) + outputs(shard)), // X for S; Y, to which the product adds
                ACTIVATION / (double) shard.degree(),
                2, // after o and down
                PROJECTIONS,
                FORWARD_KERNELS + unpackingKernels(format));
    }

    /** Frozen matrices have no gradients: as many products as forward. */
    static PassCosts backward(ModelShard shard, WeightFormat format) {
        double h = shard.hidden();
        double rotated = shard.qkv() - shard.key();
        // two norms read two and update one of H; rotary embedding; attention; SwiGLU
        double pointwise = 8 * h + 2 * rotated + 2 * (shard.qkv() + shard.query()) + 5.0 * shard.intermediate();
        return new PassCosts(
                2.0 * shard.layerMatrices(),
                weightBytes(shard, format),
                ACTIVATION * (inputs(shard) + outputs(shard)),
                5 * 2.0 * shard.query(), // gradients of q, k, v and scores, and the scores again (FlashAttention)
                ACTIVATION * pointwise,
                2,
                ACTIVATION
                        * (outputs(shard)
                                + 2 * inputs(shard)), // dY for dS and dB, X for dA; dX, to which the product adds
                (ACTIVATION + GRADIENT_READ_AND_WRITTEN) / shard.degree(),
                2, // before q, k, v and before gate, up
                PROJECTIONS,
                BACKWARD_KERNELS + unpackingKernels(format));
    }

    /** What the backward pass computes again under a policy. */
    static PassCosts recomputation(ModelShard shard, WeightFormat format, ActivationPolicy policy) {
        return switch (policy) {
            case KEEP_ALL -> NONE;
            case RECOMPUTE_POINTWISE -> pointwiseAgain(shard);
            case KEEP_LAYER_INPUTS -> forwardAgain(shard, format);
        };
    }

    /** Two norms and SwiGLU. */
    private static PassCosts pointwiseAgain(ModelShard shard) {
        double bytes = ACTIVATION * (4.0 * shard.hidden() + 3.0 * shard.intermediate());
        return new PassCosts(0, 0, 0, 0, bytes, 0, 0, 0, 0, 0, 3);
    }

    /** All but the down projection; how many of the low-rank operations are its own, the work does not tell. */
    private static PassCosts forwardAgain(ModelShard shard, WeightFormat format) {
        PassCosts all = forward(shard, format);
        long down = shard.matrix(TargetModule.DOWN_PROJ);
        double ends = shard.intermediate() + (double) shard.hidden();
        return new PassCosts(
                all.productOperations - 2.0 * down,
                all.weightBytes - matrixBytes(down, format),
                all.productBytes - ACTIVATION * ends,
                all.attentionOperations,
                all.pointwiseBytes,
                all.lowRankPasses,
                all.lowRankTokenBytes - ACTIVATION * ends,
                all.lowRankParameterBytes,
                all.reductions - 1,
                all.gathers - 1,
                all.kernels - 3);
    }

    private static double weightBytes(ModelShard shard, WeightFormat format) {
        double bytes = 0;
        for (TargetModule module : TargetModule.values()) {
            bytes += matrixBytes(shard.matrix(module), format);
        }
        return bytes;
    }

    /** A packed matrix is read, then written and read again unpacked. */
    private static double matrixBytes(long values, WeightFormat format) {
        double held = format.bytes(values, DType.BF16);
        return format == WeightFormat.PLAIN ? held : held + 2.0 * ACTIVATION * values;
    }

    private static int unpackingKernels(WeightFormat format) {
        return format == WeightFormat.PLAIN ? 0 : PROJECTIONS;
    }

    /** Values of a token that the projections read. */
    private static double inputs(ModelShard shard) {
        return 2.0 * shard.hidden() + shard.query() + shard.intermediate();
    }

    /** Values of a token that the projections write. */
    private static double outputs(ModelShard shard) {
        return 2.0 * shard.hidden() + shard.qkv() + 2.0 * shard.intermediate();
    }

    PassCosts plus(PassCosts other) {
        return new PassCosts(
                productOperations + other.productOperations,
                weightBytes + other.weightBytes,
                productBytes + other.productBytes,
                attentionOperations + other.attentionOperations,
                pointwiseBytes + other.pointwiseBytes,
                lowRankPasses + other.lowRankPasses,
                lowRankTokenBytes + other.lowRankTokenBytes,
                lowRankParameterBytes + other.lowRankParameterBytes,
                reductions + other.reductions,
                gathers + other.gathers,
                kernels + other.kernels);
    }
}
