package io.plora.cost;

/** What a group keeps of the forward pass for the backward pass; the rest is computed again. */
public enum ActivationPolicy {
    /** Everything: the fastest. */
    KEEP_ALL,
    /** Not what norms and SwiGLU give, which are computed again from their inputs: costs memory traffic, no products. */
    RECOMPUTE_POINTWISE,
    /**
     * Only the input of each layer: its forward pass runs again (all but the down projection, whose result is the next layer's
     * input), in one layer's memory.
     */
    KEEP_LAYER_INPUTS
}
