package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.MemoryModel;
import io.plora.data.Sample;
import io.plora.examples.ExampleFiles;
import io.plora.examples.RandomWeights;
import io.plora.execute.ComputeDevice;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RandomGroupTest {
    private static final ModelConfig MODEL = ModelConfig.read(ExampleFiles.model());

    @Test
    void noAdapterHasTheSamplesOfAnotherInItsOrAnotherGroup() {
        List<LoraConfig> configs = List.of(config(0), config(1), config(2));
        List<Sample> samples = new ArrayList<>();
        for (int seed = 0; seed < 3; seed++) {
            new RandomGroup(MODEL, configs, 32, seed).samples().forEach(samples::addAll);
        }
        assertThat(samples).doesNotHaveDuplicates();
    }

    @Test
    void theSameSeedHasTheSameSamples() {
        List<LoraConfig> configs = List.of(config(0), config(1));
        assertThat(new RandomGroup(MODEL, configs, 32, 5).samples())
                .isEqualTo(new RandomGroup(MODEL, configs, 32, 5).samples());
    }

    @Test
    void tooFewTokensForOneSampleAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> RandomGroup.of(MODEL, 1, 4, 47))
                .withMessageContaining("(47)")
                .withMessageContaining("--tokens of at least 48");
        assertThat(RandomGroup.of(MODEL, 1, 4, 48).longest()).isEqualTo(48);
    }

    @Test
    void anAdapterThatCannotGoOnIsNamed() {
        LoraConfig diverging = config(0).toBuilder().withLearningRate(1e30).build();
        RandomGroup group = new RandomGroup(MODEL, List.of(diverging), 32, 1);
        try (Kernels kernels = ComputeDevice.cpu().open()) {
            DecoderWeights weights = DecoderWeights.load(MODEL, new RandomWeights(MODEL, 1), kernels, group.longest());

            assertThatIllegalStateException()
                    .isThrownBy(() -> group.measure(weights, kernels, ActivationPolicy.KEEP_ALL, false, 0, 5))
                    .withMessageContaining("Adapter (%s): The ".formatted(diverging.id()));
        }
    }

    /** Of five measured iterations of an adapter whose batches have two samples, after two others. */
    private static List<Double> steppedParameters(boolean stepsLater) {
        LoraConfig pairs = config(0).toBuilder().withBatchSize(2).build();
        RandomGroup group = new RandomGroup(
                MODEL, List.of(pairs, pairs.toBuilder().withSeed(1).build()), 32, 1);
        try (Kernels kernels = ComputeDevice.cpu().open()) {
            DecoderWeights weights =
                    DecoderWeights.load(MODEL, new RandomWeights(MODEL, 1), kernels, 2 * group.longest());
            return group.measure(weights, kernels, ActivationPolicy.KEEP_ALL, stepsLater, 2, 5).stream()
                    .map(iteration -> iteration.work().steppedParameters())
                    .toList();
        }
    }

    @Test
    void stepsCountInTheIterationThatTheirTimeFallsInto() {
        double both = 2.0 * MemoryModel.adapterParameters(MODEL, config(0));

        assertThat(steppedParameters(false)).containsExactly(0.0, both, 0.0, both, 0.0);
        assertThat(steppedParameters(true)).containsExactly(both, 0.0, both, 0.0, both);
    }

    private static LoraConfig config(long seed) {
        return LoraConfig.builder().withRank(4).withSeed(seed).build();
    }
}
