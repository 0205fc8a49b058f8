package io.plora.cost;

import io.plora.kernels.DType;

/**
 * Bytes that a token takes on a device during an iteration, without low-rank terms. With H hidden size, Q, K and F the device's
 * share of query, key and intermediate size (activations split by tensor parallelism; the residual stream and norms are whole on
 * each device):
 *
 * <ul>
 *   <li>a layer has {@code a (4 H + (Q + 2 K) + Q + 3 F) + p (2 + heads)}: input, first norm, q/k/v, attention, its residual,
 *       second norm, gate and up, their product; the norms' inverse RMS and the attention's log-sum-exp
 *   <li>of these, the two norms' 2 H and the product's F need not be kept under
 *       {@link ActivationPolicy#RECOMPUTE_POINTWISE}; all but the input need not under
 *       {@link ActivationPolicy#KEEP_LAYER_INPUTS}
 *   <li>outside the layers {@code a (4 H + (Q + 2 K) + Q + 3 F) + 2 p}: last residual, final norm, gradients of both; gradients
 *       of q/k/v, attention, gate and up and their product; inverse RMS and loss; and, once, what is computed again
 * </ul>
 */
record TokenMemory(ModelShard shard, DType activationType, DType parameterType, ActivationPolicy policy) {

    /** Kept in each layer. */
    long perLayer() {
        return switch (policy) {
            case KEEP_ALL -> wholeLayer();
            case RECOMPUTE_POINTWISE -> wholeLayer() - pointwise();
            case KEEP_LAYER_INPUTS -> input();
        };
    }

    /** Kept or needed once. */
    long outside() {
        long gradients = 4L * shard.hidden() + shard.qkv() + shard.query() + 3L * shard.intermediate();
        return gradients * activationType.bytes() + 2L * parameterType.bytes() + recomputed();
    }

    private long recomputed() {
        return switch (policy) {
            case KEEP_ALL -> 0;
            // one norm at a time
            case RECOMPUTE_POINTWISE -> ((long) shard.hidden() + shard.intermediate()) * activationType.bytes();
            case KEEP_LAYER_INPUTS -> wholeLayer() - input();
        };
    }

    private long wholeLayer() {
        long activations = 4L * shard.hidden() + shard.qkv() + shard.query() + 3L * shard.intermediate();
        return activations * activationType.bytes() + (2L + shard.heads()) * parameterType.bytes();
    }

    private long pointwise() {
        return (2L * shard.hidden() + shard.intermediate()) * activationType.bytes();
    }

    private long input() {
        return (long) shard.hidden() * activationType.bytes();
    }
}
