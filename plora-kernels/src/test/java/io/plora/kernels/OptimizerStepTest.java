package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.plora.kernels.reference.ReferenceKernels;
import java.util.List;
import org.junit.jupiter.api.Test;

class OptimizerStepTest {

    private static OptimizerStep clippingTo(double maxGradientNorm) {
        AdapterState adapter = new AdapterState(new ReferenceKernels(), List.of());
        return new OptimizerStep(adapter, OptimizerStep.Rule.ADAMW, 1, 1, 0, maxGradientNorm, 1);
    }

    /** torch.nn.utils.clip_grad_norm_ adds 1e-6 to the norm, which shows where the norm is just the limit. */
    @Test
    void gradientsAreClippedAsPyTorchClipsThem() {
        assertThat(clippingTo(1).clipCoefficient(4)).isCloseTo(1 / 4.000001, within(1e-15));
        assertThat(clippingTo(1).clipCoefficient(1)).isCloseTo(1 / 1.000001, within(1e-15));
        assertThat(clippingTo(1).clipCoefficient(0.5)).isEqualTo(1);
        assertThat(clippingTo(1).clipCoefficient(0)).isEqualTo(1);
    }

    @Test
    void noLimitIsNoClipping() {
        assertThat(clippingTo(0).clipCoefficient(1e9)).isEqualTo(1);
    }
}
