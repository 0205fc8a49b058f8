package io.plora.cost;

import io.plora.model.ModelConfig;

/**
 * Which passes of training are made longer where passes that come again are replayed, so that they have the same shapes more
 * often: those of few samples, as others have too many shapes. The dearer a model's rows, the fewer are added.
 *
 * @param multiple that lengths of samples are rounded up to
 * @param samples most of such a pass
 */
public record PassRounding(int multiple, int samples) {
    /** Parameters of a layer up to which launching its operations takes longer than reading them for a few rows. */
    private static final long SMALL_LAYER = 64_000_000;

    /** As passes of a model are rounded, on whatever device. */
    public static PassRounding of(ModelConfig model) {
        return new ModelShard(model, 1).layerMatrices() <= SMALL_LAYER
                ? new PassRounding(16, 8)
                : new PassRounding(8, 4);
    }
}
