package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.ActivationPolicy;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.cpu.CpuKernels;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An adapter that computes no numbers must not reach the others of its pass. */
class FaultyAdapterTest {
    private static final int VICTIM = 1;
    private static final int FAULTY_STEP = 2;

    @ParameterizedTest
    @CsvSource({
        "1, NaN, KEEP_ALL",
        "2, Infinity, KEEP_ALL",
        "3, -Infinity, RECOMPUTE_POINTWISE",
        "4, NaN, KEEP_LAYER_INPUTS",
        "5, 1e38, KEEP_ALL"
    })
    void othersEndTheStepWithTheSameBitsOnTheCpu(int seed, float poison, ActivationPolicy policy) {
        requireOthersUntouched(() -> new CpuKernels(2), RandomModel::shape, seed, poison, policy);
    }

    @Tag("gpu")
    @ParameterizedTest
    @CsvSource({
        "1, NaN, KEEP_ALL",
        "2, Infinity, KEEP_ALL",
        "3, -Infinity, RECOMPUTE_POINTWISE",
        "4, NaN, KEEP_LAYER_INPUTS",
        "5, 1e38, KEEP_ALL"
    })
    void othersEndTheStepWithTheSameBitsOnTheGpu(int seed, float poison, ActivationPolicy policy) {
        requireOthersUntouched(Gpu::kernels, RandomModel::shapeForGpu, seed, poison, policy);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void othersEndTheStepWithTheSameBitsInDoublePrecision(int seed) {
        requireOthersUntouched(ReferenceKernels::new, RandomModel::shape, seed, Float.NaN, ActivationPolicy.KEEP_ALL);
    }

    private static void requireOthersUntouched(
            Supplier<Kernels> kernels,
            Function<SplittableRandom, ModelConfig> shape,
            int seed,
            float poison,
            ActivationPolicy policy) {
        Outcome without = trained(kernels, shape, seed, null, policy);
        Outcome with = trained(kernels, shape, seed, poison, policy);

        assertThat(without.failures()).isEmpty();
        assertThat(with.failures()).containsOnlyKeys(VICTIM);
        assertThat(with.failures().get(VICTIM))
                .contains("at optimizer step (%d)".formatted(FAULTY_STEP + 1))
                .contains("is (");
        for (int i = 0; i < with.parameters().size(); i++) {
            if (i != VICTIM) {
                assertThat(with.parameters().get(i))
                        .containsExactly(without.parameters().get(i));
            }
        }
    }

    private record Outcome(List<float[]> parameters, Map<Integer, String> failures) {}

    /** Everybody's parameters after the step in which the victim's are poisoned before the pass. */
    private static Outcome trained(
            Supplier<Kernels> opened,
            Function<SplittableRandom, ModelConfig> shape,
            int seed,
            Float poison,
            ActivationPolicy policy) {
        SplittableRandom random = new SplittableRandom(seed);
        ModelConfig model = shape.apply(random);
        try (Kernels kernels = opened.get()) {
            PackedTrainer trainer =
                    new PackedTrainer(model, RandomModel.weights(model, kernels, seed), kernels, policy);
            List<Training> members = members(model, kernels, random);
            members.forEach(trainer::join);
            Map<Integer, String> failures = new LinkedHashMap<>();
            for (int step = 0; step <= FAULTY_STEP; step++) {
                if (step == FAULTY_STEP && poison != null) {
                    float[] values = members.get(VICTIM).weights().parameters();
                    for (int i = 0; i < values.length; i += 5) {
                        values[i] = poison;
                    }
                    members.get(VICTIM).weights().state().write(values);
                }
                for (StepReport.Member report :
                        trainer.step(everyBatch(members)).members()) {
                    if (report.failure() != null) {
                        failures.put(members.indexOf(report.training()), report.failure());
                    }
                }
            }
            return new Outcome(
                    members.stream()
                            .map(member -> member.weights().parameters())
                            .toList(),
                    failures);
        }
    }

    private static Map<Training, Integer> everyBatch(List<Training> members) {
        Map<Training, Integer> samples = new LinkedHashMap<>();
        members.forEach(member -> samples.put(member, member.batchRemaining()));
        return samples;
    }

    private static List<Training> members(ModelConfig model, Kernels kernels, SplittableRandom random) {
        List<Training> members = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            LoraConfig config = LoraConfig.builder()
                    .withRank(3 + i)
                    .withAlpha(4)
                    .withLearningRate(0.01)
                    .withBatchSize(1 + i)
                    .withDropout(0.1 * i)
                    .withSeed(1 + i)
                    .build();
            List<Sample> samples = new ArrayList<>();
            for (int sample = 0; sample < 9; sample++) {
                int[] tokens = random.ints(3 + random.nextInt(8), 0, model.vocabularySize())
                        .toArray();
                boolean[] answer = new boolean[tokens.length];
                answer[tokens.length - 1] = true;
                samples.add(new Sample(tokens, answer));
            }
            members.add(new Training(
                    AdapterWeights.initialize(model, config, kernels),
                    new Dataset("random", samples, 0, 0),
                    5,
                    Training.Position.START));
        }
        return members;
    }
}
