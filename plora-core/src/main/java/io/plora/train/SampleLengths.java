package io.plora.train;

import com.google.common.math.IntMath;
import io.plora.cost.PassRounding;
import io.plora.data.Sample;
import io.plora.model.ModelConfig;
import java.math.RoundingMode;

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

    /** For a model on kernels that replay. */
    static SampleLengths alike(ModelConfig model, int longest) {
        PassRounding rounding = PassRounding.of(model);
        return new SampleLengths(rounding.multiple(), longest, rounding.samples());
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
