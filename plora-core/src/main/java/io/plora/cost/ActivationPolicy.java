package io.plora.cost;

/**
 * What a group keeps of the forward pass for the backward pass; the rest is computed again, by the same operations on the
 * same inputs, so that results are the same bits.
 */
public enum ActivationPolicy {
    /** Everything: the fastest. */
    KEEP_ALL,
    /**
     * Not what norms and SwiGLU give, which are computed again from their inputs: costs memory traffic, no products.
     */
    RECOMPUTE_POINTWISE,
    /**
     * Only the input of each layer: its forward pass runs again (all but the down projection, whose result is the next
     * layer's input), in one layer's memory. The down projection's low-rank activations are kept too.
     */
    KEEP_LAYER_INPUTS
}
