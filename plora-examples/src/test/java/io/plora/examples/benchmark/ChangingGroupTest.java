package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.ActivationPolicy;
import io.plora.examples.ExampleFiles;
import io.plora.examples.RandomWeights;
import io.plora.execute.ComputeDevice;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import org.junit.jupiter.api.Test;

class ChangingGroupTest {

    @Test
    void timesAreOfTheChangesAfterTheWarmUp() {
        ModelConfig model = ModelConfig.read(ExampleFiles.model());
        try (Kernels kernels = ComputeDevice.cpu().open()) {
            DecoderWeights weights = DecoderWeights.load(model, new RandomWeights(model, 1), kernels, 8);
            try (ChangingGroup group = new ChangingGroup(model, weights, kernels, 4, 8, ActivationPolicy.KEEP_ALL)) {
                ChangingGroup.Times times = group.measure(2, 3);

                assertThat(times.replacements()).hasSize(3);
                assertThat(times.leaves()).hasSize(3);
                assertThat(times.joins()).hasSize(3);
                assertThat(times.exports()).hasSize(2 * 3).allMatch(seconds -> seconds > 0);
                assertThat(times.iterations()).hasSize(3 * 3).allMatch(seconds -> seconds > 0);
            }
        }
    }
}
