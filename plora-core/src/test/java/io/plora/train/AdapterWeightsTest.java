package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.kernels.Kernels;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class AdapterWeightsTest {
    private static final ModelConfig MODEL = RandomModel.shape(new SplittableRandom(5));

    private static AdapterWeights start(long seed) {
        try (Kernels kernels = new ReferenceKernels()) {
            return AdapterWeights.initialize(
                    MODEL, LoraConfig.builder().withRank(4).withSeed(seed).build(), kernels);
        }
    }

    @Test
    void startsAsPeftDoes() {
        AdapterWeights weights = start(3);
        float[] parameters = weights.parameters();
        for (AdapterLayout.Slot slot : weights.layout().slots()) {
            double sum = 0;
            int size = slot.rank() * slot.inputs();
            for (int i = 0; i < size; i++) {
                float a = parameters[(int) slot.aOffset() + i];
                assertThat(Math.abs(a)).isLessThanOrEqualTo((float) (1 / Math.sqrt(slot.inputs())));
                sum += a * a * slot.inputs();
            }
            assertThat(sum / size).as("variance of A, times inputs").isBetween(0.15, 0.55); // 1/3 on average
            for (int i = 0; i < slot.outputs() * slot.rank(); i++) {
                assertThat(parameters[(int) slot.bOffset() + i]).isZero();
            }
        }
    }

    @Test
    void neighbouringSeedsShareNoValue() {
        Set<Float> values = new HashSet<>();
        int drawn = 0;
        for (long seed = 0; seed < 4; seed++) {
            AdapterWeights weights = start(seed);
            float[] parameters = weights.parameters();
            int scaled = (int) weights.layout().bOffset();
            for (int i = 0; i < scaled; i++) {
                values.add(parameters[i]);
            }
            drawn += scaled;
        }
        assertThat(values.size()).isGreaterThan(drawn * 9 / 10);
    }

    @Test
    void sameSeedSameStart() {
        assertThat(start(7).parameters()).isEqualTo(start(7).parameters());
    }
}
