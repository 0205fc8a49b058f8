package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.MemoryModel;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.cpu.CpuKernels;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What activation policies change, memory, and what they must not, results. */
class ActivationPolicyTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void allPoliciesEndWithTheSameBitsOnTheCpu(int seed) {
        requireSameBits(() -> new CpuKernels(2), seed);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void allPoliciesEndWithTheSameBitsInDoublePrecision(int seed) {
        requireSameBits(ReferenceKernels::new, seed);
    }

    private static void requireSameBits(Supplier<Kernels> kernels, int seed) {
        List<float[]> all = trained(kernels, ActivationPolicy.KEEP_ALL, seed);
        assertThat(trained(kernels, ActivationPolicy.RECOMPUTE_POINTWISE, seed)).containsExactlyElementsOf(all);
        assertThat(trained(kernels, ActivationPolicy.KEEP_LAYER_INPUTS, seed)).containsExactlyElementsOf(all);
    }

    /** Parameters of all adapters after some steps, and their losses. */
    private static List<float[]> trained(Supplier<Kernels> opened, ActivationPolicy policy, int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        ModelConfig model = RandomModel.shape(random);
        try (Kernels kernels = opened.get()) {
            DecoderWeights weights = RandomModel.weights(model, kernels, seed);
            PackedTrainer trainer = new PackedTrainer(model, weights, kernels, policy);
            List<Training> members = members(model, kernels, random);
            members.forEach(trainer::join);
            List<Float> losses = new ArrayList<>();
            for (int step = 0; step < 4; step++) {
                for (StepReport.Member report :
                        trainer.step(everyBatch(members)).members()) {
                    losses.add((float) report.batch().loss());
                }
            }
            List<float[]> results = new ArrayList<>();
            members.forEach(member -> results.add(member.weights().parameters()));
            float[] ofLosses = new float[losses.size()];
            for (int i = 0; i < ofLosses.length; i++) {
                ofLosses[i] = losses.get(i);
            }
            results.add(ofLosses);
            return results;
        }
    }

    @ParameterizedTest
    @EnumSource
    void theMemoryModelPredictsWhatIsAllocatedToTheByte(ActivationPolicy policy) {
        for (int seed = 0; seed < 50; seed++) {
            SplittableRandom random = new SplittableRandom(seed);
            ModelConfig model = RandomModel.shape(random);
            NoKernels kernels = new NoKernels(1L << 40);
            MemoryModel memory = new MemoryModel(model, kernels.activationType(), kernels.parameterType(), 0)
                    .withActivationPolicy(policy);
            DecoderWeights weights = RandomModel.weights(model, kernels, seed);
            long ofWeights = kernels.bytes();
            List<Training> members = members(model, kernels, random);
            long ofAdapters = kernels.bytes() - ofWeights;
            PackedTrainer trainer = new PackedTrainer(model, weights, kernels, policy);
            members.forEach(trainer::join);
            StepReport report = trainer.step(everyBatch(members));
            long ofTokens = kernels.bytes() - ofWeights - ofAdapters;

            assertThat(ofAdapters)
                    .isEqualTo(members.stream()
                            .mapToLong(member -> memory.adapterBytes(member.config(), 1))
                            .sum());
            assertThat(ofTokens)
                    .isEqualTo(report.members().stream()
                            .mapToLong(member -> member.rows()
                                    * memory.tokenBytes(member.training().config(), 1))
                            .sum());
            trainer.release();
            members.forEach(Training::release);
            assertThat(kernels.bytes()).isEqualTo(ofWeights);
        }
    }

    private static Map<Training, Integer> everyBatch(List<Training> members) {
        Map<Training, Integer> samples = new LinkedHashMap<>();
        members.forEach(member -> samples.put(member, member.batchRemaining()));
        return samples;
    }

    /** Adapters of several ranks and target modules, some with dropout. */
    private static List<Training> members(ModelConfig model, Kernels kernels, SplittableRandom random) {
        List<Training> members = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            LoraConfig config = LoraConfig.builder()
                    .withRank(1 + random.nextInt(9))
                    .withAlpha(4)
                    .withLearningRate(0.01)
                    .withBatchSize(1 + random.nextInt(3))
                    .withTargetModules(modules(random))
                    .withDropout(random.nextBoolean() ? 0.2 : 0)
                    .withSeed(1 + i)
                    .build();
            AdapterWeights weights = AdapterWeights.initialize(model, config, kernels);
            members.add(new Training(weights, data(model, random), 5, Training.Position.START));
        }
        return members;
    }

    private static Set<TargetModule> modules(SplittableRandom random) {
        Set<TargetModule> modules = EnumSet.of(TargetModule.values()[random.nextInt(7)]);
        for (TargetModule module : TargetModule.values()) {
            if (random.nextBoolean()) {
                modules.add(module);
            }
        }
        return modules;
    }

    private static Dataset data(ModelConfig model, SplittableRandom random) {
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            int[] tokens = random.ints(3 + random.nextInt(8), 0, model.vocabularySize())
                    .toArray();
            boolean[] answer = new boolean[tokens.length];
            answer[tokens.length - 1] = true;
            answer[1] = true;
            samples.add(new Sample(tokens, answer));
        }
        return new Dataset("random", samples, 0, 0);
    }
}
