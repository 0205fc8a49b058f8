package io.plora.kernels;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All frozen projections that share one input (q, k and v; gate and up; o; down), stacked along the output.
 *
 * @param weight (sum of the parts' outputs, in)
 * @param bias (sum of the parts' outputs), or null
 * @param parts the projections in the order they are stacked
 */
public record PackedProjection(Tensor weight, @Nullable Tensor bias, List<Part> parts) {

    public PackedProjection {
        parts = List.copyOf(parts);
    }

    /**
     * One projection: output columns {@code from .. to - 1}.
     *
     * @param module number of the module in the model (layer and projection); keys its dropout masks
     */
    public record Part(int from, int to, int module) {
        public int outputs() {
            return to - from;
        }
    }

    public int inputs() {
        return (int) weight.dim(1);
    }

    public int outputs() {
        return (int) weight.dim(0);
    }
}
