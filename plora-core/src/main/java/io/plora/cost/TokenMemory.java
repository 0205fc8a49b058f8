package io.plora.cost;

import io.plora.kernels.DType;

/**
 * Bytes that a token takes on a device during an iteration, without low-rank terms; {@link MemoryModel} has the
 * formulas.
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
        // gradients of the feed-forward block and of the attention block are not needed at once
        long block = Math.max(3L * shard.intermediate(), (long) shard.qkv() + shard.query());
        long gradients = 4L * shard.hidden() + block;
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
