package io.plora.execute;

import com.google.common.primitives.Floats;
import io.plora.LoraSweep;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.data.Sample;
import io.plora.data.TrainingData;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import io.plora.space.TargetModule;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** Sweeps over the bundled model and a few short random samples, which take a second or less. */
final class TinySweeps {
    /** Tests run in their module's folder, or on a GPU host in that of all modules. */
    static final Path MODEL = Path.of(
            Files.isDirectory(Path.of("plora-examples"))
                    ? "plora-examples/models/tiny-qwen2"
                    : "../plora-examples/models/tiny-qwen2");

    static final int SAMPLES = 10;

    /** Four that differ in rank, batch size, dropout and target modules. */
    static final List<LoraConfig> CONFIGS = List.of(
            config(4, 1)
                    .withTargetModules(List.of(TargetModule.Q_PROJ, TargetModule.V_PROJ))
                    .build(),
            config(8, 3).build(),
            config(8, 4).withDropout(0.2).build(),
            config(2, 2).withTargetModules(List.of(TargetModule.DOWN_PROJ)).build());

    private TinySweeps() {}

    static LoraConfig.Builder config(int rank, int batchSize) {
        return LoraConfig.builder()
                .withRank(rank)
                .withBatchSize(batchSize)
                .withLearningRate(5e-4)
                .withSeed(5);
    }

    /** Of two epochs. */
    static LoraSweep.Builder sweep(Path output) {
        return sweep(output, CONFIGS);
    }

    static LoraSweep.Builder sweep(Path output, List<LoraConfig> configs) {
        return anySweep(output)
                .withEpochs(2)
                .withTrainingData(samples(1, SAMPLES))
                .withSpace(SearchSpace.of(configs))
                .withValidationData(samples(2, 4));
    }

    /** Without training data, space and validation. */
    static LoraSweep.Builder anySweep(Path output) {
        return LoraSweep.builder().withBaseModel(MODEL).withTokenBudget(80).withOutput(output);
    }

    static TrainingData samples(long seed, int count) {
        return TrainingData.ofSamples(sampleList(seed, count));
    }

    /** Of 8 to 20 tokens, the second half of them answer. */
    static List<Sample> sampleList(long seed, int count) {
        SplittableRandom random = new SplittableRandom(seed);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] tokens = random.ints(8 + random.nextInt(13), 300, 400).toArray();
            boolean[] answer = new boolean[tokens.length];
            Arrays.fill(answer, tokens.length / 2, tokens.length, true);
            samples.add(new Sample(tokens, answer));
        }
        return samples;
    }

    /** A and B of all modules of a saved adapter. */
    static float[] parameters(Path adapter) {
        return PeftAdapter.load(adapter).modules().values().stream()
                .map(matrices -> Floats.concat(matrices.a(), matrices.b()))
                .reduce(new float[0], Floats::concat);
    }

    static Trial trial(SweepResult result, LoraConfig config) {
        return result.ranking().stream()
                .filter(trial -> trial.id().equals(config.id()))
                .findFirst()
                .orElseThrow();
    }

    /** Parameters at the end of a trial. */
    static float[] last(SweepResult result, LoraConfig config) {
        Path adapter = trial(result, config).lastAdapter();
        if (adapter == null) {
            throw new AssertionError(trial(result, config) + " has no last adapter");
        }
        return parameters(adapter);
    }

    static List<String> ids(SweepResult result) {
        return result.ranking().stream().map(Trial::id).toList();
    }

    /** |actual - expected| / |expected|. */
    static double relativeError(float[] actual, float[] expected) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += Math.pow((double) actual[i] - expected[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        return actual.length == expected.length ? Math.sqrt(difference / norm) : Double.NaN;
    }
}
