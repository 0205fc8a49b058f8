package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.common.math.IntMath;
import io.plora.Evaluation;
import io.plora.Metric;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.data.ChoiceData;
import io.plora.data.TextData;
import io.plora.plan.SweepPlan;
import io.plora.report.TrialFiles;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoraSweepTest {
    @TempDir
    private Path folder;

    @Test
    void ranksTrialsAndLeavesAdaptersThatEvaluateAsTheyDidInTheSweep() {
        SweepResult result = TinySweeps.sweep(folder).build().run();

        assertThat(TinySweeps.ids(result))
                .containsExactlyInAnyOrderElementsOf(
                        TinySweeps.CONFIGS.stream().map(LoraConfig::id).toList());
        assertThat(result.ranking()).isSortedAccordingTo(Comparator.comparing(t -> t.value(Metric.VALIDATION_LOSS)));
        assertThat(result.ranking()).allSatisfy(trial -> {
            assertThat(trial.status()).isEqualTo(Trial.Status.FINISHED);
            assertThat(trial.steps())
                    .isEqualTo(2L
                            * IntMath.divide(TinySweeps.SAMPLES, trial.config().batchSize(), RoundingMode.CEILING));
            assertThat(trial.seconds()).isPositive();
            assertThat(PeftAdapter.load(trial.adapter()).config()).isEqualTo(trial.config());
        });
        List<Evaluation> again = AdapterEvaluator.of(TinySweeps.MODEL)
                .withData(TinySweeps.samples(2, 4))
                .evaluate(result.ranking().stream().map(Trial::adapter).toList());
        for (int i = 0; i < again.size(); i++) {
            assertThat(again.get(i).value(Metric.VALIDATION_LOSS))
                    .isCloseTo(result.ranking().get(i).value(Metric.VALIDATION_LOSS), within(1e-5));
        }
    }

    @Test
    void aTrialIsOnDiskTheMomentItEnds() throws IOException {
        List<String> seen = new ArrayList<>();
        TinySweeps.sweep(folder)
                .withListener(new SweepListener() {
                    @Override
                    public void trialEnded(Trial trial) {
                        seen.add(trial.id());
                        assertThat(TrialFiles.read(folder))
                                .extracting(Trial::id)
                                .containsExactlyElementsOf(seen);
                        assertThat(lines(folder.resolve("trials.csv"))).hasSize(1 + seen.size());
                        assertThat(folder.resolve("trials").resolve(trial.id()))
                                .isDirectoryNotContaining("glob:**running**")
                                .isDirectoryContaining("glob:**/last")
                                .isDirectoryContaining("glob:**/best");
                    }

                    @Override
                    public void sweepEnded(SweepResult result) {
                        seen.add("end");
                    }
                })
                .build()
                .run();
        assertThat(seen).hasSize(5).endsWith("end");
        assertThat(Files.readString(folder.resolve("sweep.json"))).contains("tiny-qwen2");
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void keepsTheBestCheckpointAndTheLast() {
        // learns its ten random samples by heart, so that others get worse and worse
        LoraConfig eager = TinySweeps.config(8, 2).withLearningRate(1e-2).build();
        Trial trial = TinySweeps.anySweep(folder)
                .withEpochs(5)
                .withTrainingData(TinySweeps.samples(1, 10))
                .withValidationData(TinySweeps.samples(2, 4))
                .withSpace(SearchSpace.of(List.of(eager)))
                .build()
                .run()
                .best();

        double best = trial.best().value(Metric.VALIDATION_LOSS);
        double last = trial.last().value(Metric.VALIDATION_LOSS);
        assertThat(last).isGreaterThan(best);
        assertThat(trial.last().epoch()).isEqualTo(5);
        assertThat(trial.best().epoch()).isLessThan(5);
        assertThat(trial.value(Metric.VALIDATION_LOSS)).isEqualTo(best);
        AdapterEvaluator evaluator = AdapterEvaluator.of(TinySweeps.MODEL).withData(TinySweeps.samples(2, 4));
        assertThat(evaluator.evaluate(trial.bestAdapter()).value(Metric.VALIDATION_LOSS))
                .isCloseTo(best, within(1e-5));
        assertThat(evaluator.evaluate(trial.lastAdapter()).value(Metric.VALIDATION_LOSS))
                .isCloseTo(last, within(1e-5));
    }

    @Test
    void ranksByAccuracyWhereThereIsOnlyATask() {
        SweepResult result = TinySweeps.anySweep(folder)
                .withTrainingData(task())
                .withValidationTask(task())
                .withEpochs(6)
                .withSpace(SearchSpace.of(List.of(
                        TinySweeps.config(8, 2).withLearningRate(3e-3).build(),
                        TinySweeps.config(8, 2).withLearningRate(0).build())))
                .build()
                .run();

        assertThat(result.metric()).isEqualTo(Metric.ACCURACY);
        assertThat(result.best().config().learningRate()).isEqualTo(3e-3);
        assertThat(result.best().value(Metric.ACCURACY)).isEqualTo(1);
        assertThat(result.best().evaluation().values()).containsOnlyKeys(Metric.ACCURACY, Metric.F1, Metric.MATTHEWS);
        assertThat(result.ranking().get(1).value(Metric.ACCURACY)).isLessThan(1);
    }

    @Test
    void measuresLossAndChoicesTogether() {
        SweepResult result = TinySweeps.anySweep(folder)
                .withTrainingData(task())
                .withValidationData(task())
                .withValidationTask(task())
                .withMetric(Metric.PERPLEXITY)
                .withSpace(SearchSpace.of(TinySweeps.CONFIGS))
                .build()
                .run();

        assertThat(result.best().evaluation().values()).containsOnlyKeys(Metric.values());
        assertThat(result.best().evaluation().items()).isEqualTo(16);
        assertThat(result.ranking()).isSortedAccordingTo(Comparator.comparing(t -> t.value(Metric.PERPLEXITY)));
    }

    /** A class of animals, or of things, that a model can tell after some epochs. */
    private static ChoiceData task() {
        List<Map<String, String>> rows = IntStream.range(0, 8)
                .mapToObj(i -> Map.of("what", i % 2 == 0 ? "cat " + i : "table " + i, "label", i % 2 == 0 ? "a" : "b"))
                .toList();
        return TextData.examples(rows)
                .withPrompt("{what}:")
                .asChoices("label")
                .withCandidate("a", " animal")
                .withCandidate("b", " thing");
    }

    @Test
    void planTellsWithoutTouchingTheOutputFolder() {
        Path output = folder.resolve("none");
        SweepPlan plan = TinySweeps.sweep(output).build().plan();

        assertThat(plan.toText()).contains(TinySweeps.CONFIGS.get(0).id());
        assertThat(output).doesNotExist();
    }

    @Test
    void anInstanceRunsAgainAndFindsItsTrialsOnRecord() {
        var sweep = TinySweeps.sweep(folder).build();
        SweepResult first = sweep.run();
        SweepResult second = sweep.run();

        assertThat(second.ranking()).isEqualTo(first.ranking());
        assertThat(second.seconds()).isGreaterThanOrEqualTo(first.seconds());
    }

    @Test
    void configurationsWithoutASeedTakeThatOfTheSweep() {
        LoraConfig unseeded = TinySweeps.config(4, 2).withSeed(0).build();
        SweepResult result =
                TinySweeps.sweep(folder, List.of(unseeded)).withSeed(11).build().run();

        assertThat(result.best().config())
                .isEqualTo(unseeded.toBuilder().withSeed(11).build());
    }

    @Test
    void trialsGoOnFromAnInitialAdapterOfAnotherAlpha() {
        LoraConfig first = TinySweeps.config(4, 2).withLearningRate(1e-2).build();
        Path adapter = TinySweeps.sweep(folder.resolve("first"), List.of(first))
                .build()
                .run()
                .best()
                .lastAdapter();
        LoraConfig still = first.toBuilder().withLearningRate(0).build();
        LoraConfig stronger = still.toBuilder().withAlpha(64).build();
        SweepResult result = TinySweeps.sweep(folder.resolve("second"), List.of(still, stronger))
                .withInitialAdapter(adapter)
                .build()
                .run();

        // nothing is learned at a learning rate of 0: the weights are the initial adapter's, the other scale tells
        float[] initial = TinySweeps.parameters(adapter);
        assertThat(TinySweeps.last(result, still)).isEqualTo(initial);
        assertThat(TinySweeps.last(result, stronger)).isEqualTo(initial);
        AdapterEvaluator evaluator = AdapterEvaluator.of(TinySweeps.MODEL).withData(TinySweeps.samples(2, 4));
        double expected = evaluator.evaluate(adapter).value(Metric.VALIDATION_LOSS);
        assertThat(TinySweeps.trial(result, still).value(Metric.VALIDATION_LOSS))
                .isCloseTo(expected, within(1e-5));
        assertThat(Math.abs(TinySweeps.trial(result, stronger).value(Metric.VALIDATION_LOSS) - expected))
                .isGreaterThan(1e-4);
    }
}
