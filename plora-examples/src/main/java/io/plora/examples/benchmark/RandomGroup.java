package io.plora.examples.benchmark;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.GroupWork;
import io.plora.cost.MeasuredIteration;
import io.plora.cost.MemoryModel;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import io.plora.train.StepReport;
import io.plora.train.Training;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A group of adapters of random ranks and batch sizes, whose members take a sample of random length each an iteration.
 *
 * @param tokens of a sample in the mean: lengths are between half and one and a half times as many
 */
record RandomGroup(ModelConfig model, List<LoraConfig> configs, int tokens, long seed) {
    private static final int SAMPLES = 24;
    private static final int MANY_EPOCHS = 1_000_000;
    private static final List<Integer> RANKS = List.of(8, 16, 32, 64);
    private static final List<Integer> BATCH_SIZES = List.of(1, 1, 4);
    private static final List<Integer> TOKENS = List.of(32, 64, 128, 256, 512);

    /**
     * A group of at most so many adapters and tokens an iteration.
     *
     * @throws IllegalArgumentException if the shortest samples have more tokens
     */
    static RandomGroup of(ModelConfig model, long seed, int mostAdapters, int mostTokens) {
        SplittableRandom random = new SplittableRandom(seed);
        List<Integer> possible =
                TOKENS.stream().filter(length -> 3 * length <= 2 * mostTokens).toList();
        if (possible.isEmpty()) {
            throw new IllegalArgumentException(
                    "No sample fits into (%d) tokens an iteration. Maybe give --tokens of at least %d."
                            .formatted(mostTokens, TOKENS.get(0) * 3 / 2));
        }
        int tokens = possible.get(random.nextInt(possible.size()));
        int adapters = 1 + random.nextInt(Math.min(mostAdapters, mostTokens * 2 / (3 * tokens)));
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 0; i < adapters; i++) {
            int rank = RANKS.get(random.nextInt(RANKS.size()));
            configs.add(LoraConfig.builder()
                    .withRank(rank)
                    .withAlpha(rank)
                    .withLearningRate(1e-4)
                    .withBatchSize(BATCH_SIZES.get(random.nextInt(BATCH_SIZES.size())))
                    .withSeed(i)
                    .build());
        }
        return new RandomGroup(model, configs, tokens, seed);
    }

    /** Tokens of the longest sample. */
    int longest() {
        return tokens + tokens / 2;
    }

    /**
     * Runs iterations, of which the first ones only warm up: those of an adapter alone until all samples have come four times, as
     * its passes come again and are recorded.
     *
     * @param stepsLater whether an iteration's time holds the optimizer steps of the one before
     */
    List<MeasuredIteration> measure(
            DecoderWeights weights,
            Kernels kernels,
            ActivationPolicy policy,
            boolean stepsLater,
            int first,
            int iterations) {
        int warmUp = configs.size() == 1 ? Math.max(first, 4 * SAMPLES) : first;
        PackedTrainer trainer = new PackedTrainer(model, weights, kernels, policy);
        List<Training> members = members(kernels);
        members.forEach(trainer::join);
        trainer.reserve(members.size() * longest());
        List<MeasuredIteration> measured = new ArrayList<>();
        double steppedBefore = 0;
        for (int i = 0; i < warmUp + iterations; i++) {
            Map<Training, Integer> samples = new LinkedHashMap<>();
            members.forEach(member -> samples.put(member, 1));
            long start = System.nanoTime();
            StepReport report = trainer.step(samples);
            double seconds = (System.nanoTime() - start) / 1e9;
            TrainingCase.requireFinite(report);
            GroupWork work = work(report);
            if (i >= warmUp) {
                GroupWork within = stepsLater ? work.withSteppedParameters(steppedBefore) : work;
                measured.add(new MeasuredIteration(within, 1, seconds));
            }
            steppedBefore = work.steppedParameters();
        }
        trainer.release();
        members.forEach(Training::release);
        return measured;
    }

    private List<Training> members(Kernels kernels) {
        List<Training> members = new ArrayList<>();
        List<List<Sample>> samples = samples();
        for (int i = 0; i < configs.size(); i++) {
            members.add(new Training(
                    AdapterWeights.initialize(model, configs.get(i), kernels),
                    new Dataset("random tokens", samples.get(i), 0, 0),
                    MANY_EPOCHS,
                    Training.Position.START));
        }
        return members;
    }

    /** Of each adapter; no adapter of this or another group has the same. */
    List<List<Sample>> samples() {
        SplittableRandom random = new SplittableRandom(seed).split();
        return configs.stream().map(config -> samples(random.split())).toList();
    }

    private List<Sample> samples(SplittableRandom random) {
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < SAMPLES; i++) {
            int rows = random.nextInt(tokens / 2, longest() + 1);
            boolean[] answer = new boolean[rows + 1];
            Arrays.fill(answer, 1, answer.length, true);
            samples.add(
                    new Sample(random.ints(rows + 1, 0, model.vocabularySize()).toArray(), answer));
        }
        return samples;
    }

    private GroupWork work(StepReport report) {
        GroupWork work = GroupWork.NONE;
        for (StepReport.Member member : report.members()) {
            long parameters =
                    MemoryModel.adapterParameters(model, member.training().config());
            double rows = member.rows();
            work = work.plus(GroupWork.of(parameters, rows, 1, rows * (rows + 1) / 2, member.batch() == null ? 0 : 1));
        }
        return work;
    }
}
