package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.plora.Evaluation;
import io.plora.LoraSweep;
import io.plora.Metric;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.data.ChoiceData;
import io.plora.data.TrainingData;
import io.plora.examples.ExampleFiles;
import io.plora.execute.ComputeDevice;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A sweep over clearly different configurations, ranked by validation loss.
 *
 * @param name of the data
 * @param validation what losses are measured on
 * @param task what accuracy and Matthews correlation are measured on too; null if the data are no questions
 */
record RankingSweep(
        String name,
        TrainingData training,
        TrainingData validation,
        @Nullable ChoiceData task) {
    /** Of its rows. */
    static final String KIND = "ranking";

    /** With three times the highest rate trainings that differ in alpha by 0.01% end elsewhere, in float32 too. */
    private static final SearchSpace SPACE = SearchSpace.grid()
            .rank(4, 32)
            .alphaOverRank(2)
            .learningRate(1e-5, 1e-4, 1e-3)
            .batchSize(4, 16);

    static RankingSweep gsm8k(int samples) {
        return new RankingSweep(
                "gsm8k",
                ExampleFiles.problems("train.jsonl").withLimit(samples),
                ExampleFiles.problems("validation.jsonl").withLimit(samples),
                null);
    }

    /** Sentences in CoLA's layout. */
    static RankingSweep judgements(String name, Path train, Path dev, int samples) {
        ChoiceData questions = ExampleFiles.judgements(dev, samples);
        return new RankingSweep(name, ExampleFiles.judgements(train, samples), questions, questions);
    }

    /** Runs it; a row with each configuration's values. */
    ObjectNode run(ComputeDevice device) throws IOException {
        Path output = Files.createTempDirectory("plora-benchmark");
        try {
            return row(sweep(device, output).run());
        } finally {
            MoreFiles.deleteRecursively(output, RecursiveDeleteOption.ALLOW_INSECURE);
        }
    }

    private LoraSweep sweep(ComputeDevice device, Path output) {
        LoraSweep.Builder sweep = LoraSweep.builder()
                .withBaseModel(ExampleFiles.model())
                .withTrainingData(training)
                .withValidationData(validation)
                .withMetric(Metric.VALIDATION_LOSS)
                .withSpace(SPACE)
                .withSeed(7)
                .withDevice(device)
                .withOutput(output);
        if (task != null) {
            sweep.withValidationTask(task);
        }
        return sweep.build();
    }

    private ObjectNode row(SweepResult result) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("bench", "quality");
        row.put("kind", KIND);
        row.put("case", name);
        ArrayNode trials = row.putArray("trials");
        for (Trial trial : result.ranking()) {
            Evaluation evaluation = trial.evaluation();
            if (evaluation == null) {
                throw new IllegalStateException(
                        "Case (%s), trial (%s): %s".formatted(name, trial.id(), trial.failure()));
            }
            ObjectNode of = trials.addObject();
            of.put("id", trial.id());
            evaluation.values().forEach((metric, value) -> of.put(metric.column(), QualityComparison.rounded(value)));
            of.put("standard_error", QualityComparison.rounded(evaluation.standardError(Metric.VALIDATION_LOSS)));
        }
        return row;
    }
}
