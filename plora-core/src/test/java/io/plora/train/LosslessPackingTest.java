package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.cpu.CpuKernels;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.space.Schedule;
import io.plora.space.TargetModule;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The promise of packing: an adapter trained in a pack ends where it ends alone. */
class LosslessPackingTest {
    private static final int STEPS = 20;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void packedEqualsAloneInDoublePrecision(int seed) {
        try (Kernels kernels = new ReferenceKernels()) {
            comparePackedWithAlone(kernels, seed, 1e-6, 1e-6);
        }
    }

    @ParameterizedTest
    @MethodSource("cpuSeeds")
    void packedEqualsAloneOnTheCpu(int seed) {
        try (Kernels kernels = new CpuKernels()) {
            comparePackedWithAlone(kernels, seed, 1e-5, 1e-4);
        }
    }

    static IntStream cpuSeeds() {
        return IntStream.rangeClosed(11, 40);
    }

    private void comparePackedWithAlone(Kernels plain, int seed, double gradientTolerance, double weightTolerance) {
        SplittableRandom random = new SplittableRandom(seed);
        ModelConfig model = RandomModel.shape(random);
        RecordingKernels recording = new RecordingKernels(plain);
        PackedTrainer trainer =
                new PackedTrainer(model, RandomModel.weights(model, recording.kernels(), seed), recording.kernels());
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            configs.add(config(random, i));
        }
        Dataset data = data(random, model.vocabularySize());

        List<Training> packed = start(configs, model, recording.kernels(), data);
        trainPacked(trainer, packed, random);
        List<Training> alone = start(configs, model, recording.kernels(), data);
        alone.forEach(training -> trainAlone(trainer, training));

        for (int i = 0; i < configs.size(); i++) {
            List<float[]> expected = recording.gradients(alone.get(i).weights());
            List<float[]> actual = recording.gradients(packed.get(i).weights());
            assertThat(expected).hasSize(STEPS);
            assertThat(actual).hasSize(STEPS);
            for (int step = 0; step < STEPS; step++) {
                assertThat(Vectors.relativeError(actual.get(step), expected.get(step)))
                        .as("gradient of %s at step %d", configs.get(i), step)
                        .isLessThan(gradientTolerance);
            }
            assertThat(Vectors.relativeError(
                            packed.get(i).weights().parameters(),
                            alone.get(i).weights().parameters()))
                    .as("A and B of %s", configs.get(i))
                    .isLessThan(weightTolerance);
        }
    }

    private static List<Training> start(List<LoraConfig> configs, ModelConfig model, Kernels kernels, Dataset data) {
        List<Training> trainings = new ArrayList<>();
        for (LoraConfig config : configs) {
            AdapterWeights weights = AdapterWeights.initialize(model, config, kernels);
            float[] parameters = weights.parameters();
            SplittableRandom random = new SplittableRandom(config.seed());
            for (int i = (int) weights.layout().bOffset(); i < parameters.length; i++) {
                parameters[i] = (float) (0.02 * random.nextGaussian()); // B = 0 would hide A's gradient
            }
            trainings.add(new Training(
                    AdapterWeights.of(model, config, kernels, parameters), data, 1000, Training.Position.START));
        }
        return trainings;
    }

    /** Members join and leave midway, and batches are taken in random parts. */
    private static void trainPacked(PackedTrainer trainer, List<Training> trainings, SplittableRandom random) {
        Map<Training, Boolean> inside = new HashMap<>();
        while (trainings.stream().anyMatch(LosslessPackingTest::lacksSteps)) {
            for (Training training : trainings) {
                boolean wanted = lacksSteps(training) && random.nextInt(4) > 0;
                if (wanted != inside.getOrDefault(training, false)) {
                    if (wanted) {
                        trainer.join(training);
                    } else {
                        trainer.leave(training);
                    }
                    inside.put(training, wanted);
                }
            }
            Map<Training, Integer> samples = new LinkedHashMap<>();
            for (Training member : trainer.members()) {
                int count = random.nextInt(member.batchRemaining() + 1);
                if (count > 0) {
                    samples.put(member, count);
                }
            }
            if (!samples.isEmpty()) {
                trainer.step(samples);
            }
        }
        trainer.members().forEach(trainer::leave);
    }

    private static boolean lacksSteps(Training training) {
        return training.position().optimizerSteps() < STEPS;
    }

    private static void trainAlone(PackedTrainer trainer, Training training) {
        trainer.join(training);
        while (lacksSteps(training)) {
            trainer.step(Map.of(training, training.batchRemaining()));
        }
        trainer.leave(training);
    }

    /** Every field varies; learning rate and scale within the ranges of the paper's table 1. */
    private static LoraConfig config(SplittableRandom random, int index) {
        EnumSet<TargetModule> all = EnumSet.allOf(TargetModule.class);
        EnumSet<TargetModule> some = all.stream()
                .filter(module -> random.nextBoolean())
                .collect(Collectors.toCollection(() -> EnumSet.noneOf(TargetModule.class)));
        int rank = 1 + random.nextInt(64);
        boolean stabilized = random.nextBoolean();
        double scale = Math.exp(random.nextDouble(Math.log(0.25), Math.log(4)));
        return LoraConfig.builder()
                .withRank(rank)
                .withAlpha(scale * (stabilized ? Math.sqrt(rank) : rank))
                .withLearningRate(Math.exp(random.nextDouble(Math.log(2e-5), Math.log(4e-4))))
                .withBatchSize(1 + random.nextInt(5))
                .withDropout(random.nextBoolean() ? 0 : random.nextDouble(0.3))
                .withTargetModules(some.isEmpty() ? all : some)
                .withWeightDecay(random.nextBoolean() ? 0 : 0.1)
                .withWarmupRatio(random.nextBoolean() ? 0 : 0.002)
                .withSchedule(Schedule.values()[random.nextInt(3)])
                .withRankStabilized(stabilized)
                .withLoraPlusRatio(random.nextBoolean() ? 1 : 2)
                .withMaxGradientNorm(random.nextBoolean() ? 0 : 0.5)
                .withSeed(100 + index)
                .build();
    }

    private static Dataset data(SplittableRandom random, int vocabulary) {
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            int length = 2 + random.nextInt(18);
            int[] tokens = new int[length];
            boolean[] answer = new boolean[length];
            for (int t = 0; t < length; t++) {
                tokens[t] = random.nextInt(vocabulary);
                answer[t] = t > 0 && random.nextInt(3) > 0;
            }
            answer[length - 1] = true;
            samples.add(new Sample(tokens, answer));
        }
        return new Dataset("random", samples, 0, 0);
    }
}
