package io.plora.report;

import io.plora.Evaluation;
import io.plora.Metric;
import io.plora.Trial;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.commons.csv.CSVFormat;
import org.jspecify.annotations.Nullable;

/**
 * A trial as one record of CSV: id, status, the configuration's fields, then the evaluation that {@linkplain
 * Trial#evaluation speaks for the trial} with each metric and its standard error, then counts, folders and failure message.
 * What is not known is empty. {@link io.plora.space.SearchSpace#csv} reads the configurations back.
 */
final class TrialCsv {
    private static final CSVFormat FORMAT =
            CSVFormat.DEFAULT.builder().setRecordSeparator('\n').build();

    private final Path folder;

    TrialCsv(Path folder) {
        this.folder = folder;
    }

    String header() throws IOException {
        List<String> names = new ArrayList<>(List.of("id", "status"));
        names.addAll(ConfigColumns.names());
        names.addAll(List.of("epoch", "samples_seen", "items"));
        for (Metric metric : Metric.values()) {
            names.add(metric.column());
            names.add(metric.column() + "_standard_error");
        }
        names.addAll(List.of("training_loss", "steps", "tokens", "seconds", "last_adapter", "best_adapter", "failure"));
        return line(names);
    }

    String write(Trial trial) throws IOException {
        List<@Nullable Object> values = new ArrayList<>();
        values.add(trial.id());
        values.add(trial.status().name().toLowerCase(Locale.ROOT));
        ConfigColumns.names().forEach(name -> values.add(ConfigColumns.text(trial.config(), name)));
        Evaluation evaluation = trial.evaluation();
        values.add(evaluation == null ? null : evaluation.epoch());
        values.add(evaluation == null ? null : evaluation.samplesSeen());
        values.add(evaluation == null ? null : evaluation.items());
        for (Metric metric : Metric.values()) {
            values.add(evaluation == null ? null : evaluation.values().get(metric));
            values.add(evaluation == null ? null : evaluation.standardErrors().get(metric));
        }
        values.add(trial.trainingLoss());
        values.add(trial.steps());
        values.add(trial.tokens());
        values.add(trial.seconds());
        values.add(path(trial.lastAdapter()));
        values.add(path(trial.bestAdapter()));
        values.add(trial.failure());
        return line(values);
    }

    private @Nullable String path(@Nullable Path path) {
        return path == null ? null : OutputPaths.relative(folder, path);
    }

    private static String line(List<?> values) throws IOException {
        StringBuilder line = new StringBuilder();
        FORMAT.printRecord(line, values.toArray());
        return line.toString();
    }
}
