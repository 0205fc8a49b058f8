package io.plora.train;

import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
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
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Random adapters on a random model, to be trained packed or alone from the same start on the same batches; the same seed
 * gives the same with any kernels.
 */
final class RandomGroup {
    static final int STEPS = 20;

    private final ModelConfig model;
    private final long seed;
    private final SplittableRandom random;
    private final List<LoraConfig> configs = new ArrayList<>();
    private final Dataset data;

    /**
     * @param shape draws the model's shape
     * @param shortest sample, in tokens; of two tokens, one attends to itself: q and k have no gradient
     * @param longest sample, in tokens
     */
    RandomGroup(long seed, Function<SplittableRandom, ModelConfig> shape, int adapters, int shortest, int longest) {
        this.seed = seed;
        this.random = new SplittableRandom(seed);
        this.model = shape.apply(random);
        for (int i = 0; i < adapters; i++) {
            configs.add(config(random, i));
        }
        this.data = data(random, model.vocabularySize(), shortest, longest);
    }

    /**
     * What became of an adapter.
     *
     * @param gradients of each optimizer step
     * @param parameters A and B after the last
     */
    record Trained(LoraConfig config, List<float[]> gradients, float[] parameters) {}

    /** Members join and leave midway, and batches are taken in random parts, others each time that this is called. */
    List<Trained> packed(Kernels kernels) {
        return train(kernels, (trainer, trainings) -> trainPacked(trainer, trainings, random));
    }

    List<Trained> alone(Kernels kernels) {
        return train(kernels, (trainer, trainings) -> trainings.forEach(training -> trainAlone(trainer, training)));
    }

    private List<Trained> train(Kernels plain, BiConsumer<PackedTrainer, List<Training>> way) {
        RecordingKernels recording = new RecordingKernels(plain);
        Kernels kernels = recording.kernels();
        PackedTrainer trainer = new PackedTrainer(model, RandomModel.weights(model, kernels, seed), kernels);
        List<Training> trainings = start(kernels);
        way.accept(trainer, trainings);
        return trainings.stream()
                .map(training -> new Trained(
                        training.config(),
                        recording.gradients(training.weights()),
                        training.weights().parameters()))
                .toList();
    }

    private List<Training> start(Kernels kernels) {
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

    private static void trainPacked(PackedTrainer trainer, List<Training> trainings, SplittableRandom random) {
        Map<Training, Boolean> inside = new HashMap<>();
        while (trainings.stream().anyMatch(RandomGroup::lacksSteps)) {
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

    private static Dataset data(SplittableRandom random, int vocabulary, int shortest, int longest) {
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            int length = shortest + random.nextInt(longest - shortest + 1);
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
