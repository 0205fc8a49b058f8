package io.plora.model;

import io.plora.kernels.PackedProjection;
import io.plora.kernels.Tensor;
import java.util.List;

public record DecoderWeights(Tensor embedding, List<Layer> layers, Tensor finalNorm, Tensor lmHead, Tensor rotary) {
    public record Layer(
            Tensor inputNorm,
            PackedProjection qkv,
            PackedProjection o,
            Tensor postNorm,
            PackedProjection gateUp,
            PackedProjection down) {}
}
