package io.plora.train;

import com.google.common.math.IntMath;
import io.plora.data.Sample;
import io.plora.model.ModelConfig;
import io.plora.space.TargetModule;
import java.math.RoundingMode;
import java.util.Arrays;

/**
 * How many rows samples take in a pass: their own, or more, so that more passes have the same shape. What is added has no target
 * and comes last in its sequence, so that it changes neither losses nor gradients.
 *
 * @param multiple that lengths are rounded up to
 * @param longest that no sample is made longer than
 * @param samples most of a pass that may be made longer; passes of more have too many shapes
 */
record SampleLengths(int multiple, int longest, int samples) {
    /** No more than they have. */
    static final SampleLengths OWN = new SampleLengths(1, Integer.MAX_VALUE, Integer.MAX_VALUE);

    /** Parameters of a layer up to which launching its operations takes longer than reading them for a few rows. */
    private static final long SMALL_LAYER = 64_000_000;

    /** For a model on kernels that replay: the dearer its rows, the fewer are added. */
    static SampleLengths alike(ModelConfig model, int longest) {
        long layer = Arrays.stream(TargetModule.values())
                .mapToLong(module -> (long) model.inputs(module) * model.outputs(module))
                .sum();
        return layer <= SMALL_LAYER ? new SampleLengths(16, longest, 8) : new SampleLengths(8, longest, 4);
    }

    int of(Sample sample) {
        int rounded = multiple * IntMath.divide(sample.rows(), multiple, RoundingMode.CEILING);
        return Math.max(sample.rows(), Math.min(rounded, longest));
    }

    /** Whether samples may be longer than they are. */
    boolean round() {
        return multiple > 1;
    }
}
