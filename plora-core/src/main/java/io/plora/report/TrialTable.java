package io.plora.report;

import io.plora.Evaluation;
import io.plora.SweepResult;
import io.plora.Trial;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A sweep's ranking as a table of aligned text: position, id, rank, alpha, learning rate, batch size, whatever else differs
 * between the configurations, the metric with its standard error, training loss, optimizer steps, status, adapter folder.
 * A {@code ~} before the position marks trials that {@linkplain SweepResult#tiedWithBest are statistically tied} with the
 * best; trials that did not finish have no position.
 */
public final class TrialTable {
    private static final Set<String> ALWAYS_SHOWN = Set.of("rank", "alpha", "learning_rate", "batch_size");

    /** One column: its title, which side its cells keep to, and a cell's text. */
    private record Column(String title, boolean left, Function<Trial, String> cell) {}

    private final SweepResult result;
    private final List<Column> columns = new ArrayList<>();

    private TrialTable(SweepResult result) {
        this.result = result;
        right("#", this::position);
        left("id", Trial::id);
        right("r", trial -> ConfigColumns.text(trial.config(), "rank"));
        right("alpha", trial -> ConfigColumns.text(trial.config(), "alpha"));
        right("lr", trial -> ConfigColumns.text(trial.config(), "learning_rate"));
        right("batch", trial -> ConfigColumns.text(trial.config(), "batch_size"));
        for (String name : varying()) {
            left(name, trial -> ConfigColumns.text(trial.config(), name));
        }
        right(result.metric().label(), this::value);
        right("train loss", TrialTable::trainingLoss);
        right("steps", trial -> Long.toString(trial.steps()));
        left("status", trial -> trial.status().name().toLowerCase(Locale.ROOT));
        left("adapter", this::adapter);
    }

    /** The table, each line ended by a line feed. */
    public static String of(SweepResult result) {
        return new TrialTable(result).text();
    }

    private void left(String title, Function<Trial, String> cell) {
        columns.add(new Column(title, true, cell));
    }

    private void right(String title, Function<Trial, String> cell) {
        columns.add(new Column(title, false, cell));
    }

    private List<String> varying() {
        return ConfigColumns.names().stream()
                .filter(name -> !ALWAYS_SHOWN.contains(name))
                .filter(name -> result.ranking().stream()
                                .map(trial -> ConfigColumns.text(trial.config(), name))
                                .distinct()
                                .count()
                        > 1)
                .toList();
    }

    private String position(Trial trial) {
        if (trial.status() != Trial.Status.FINISHED) {
            return "-";
        }
        int index = result.ranking().indexOf(trial);
        return (index > 0 && result.tiedWithBest(trial) ? "~" : "") + (index + 1);
    }

    private String value(Trial trial) {
        Evaluation evaluation = trial.evaluation();
        return evaluation == null ? "-" : evaluation.text(result.metric());
    }

    private static String trainingLoss(Trial trial) {
        return trial.steps() == 0 ? "-" : String.format(Locale.ROOT, "%.4f", trial.trainingLoss());
    }

    private String adapter(Trial trial) {
        return trial.hasAdapter() ? OutputPaths.relative(result.output(), trial.adapter()) : "-";
    }

    private String text() {
        List<List<String>> rows = new ArrayList<>();
        rows.add(columns.stream().map(Column::title).toList());
        for (Trial trial : result.ranking()) {
            rows.add(columns.stream().map(column -> column.cell().apply(trial)).toList());
        }
        int[] widths = IntStream.range(0, columns.size())
                .map(i ->
                        rows.stream().mapToInt(row -> row.get(i).length()).max().orElse(0))
                .toArray();
        String table = rows.stream().map(row -> line(row, widths)).collect(Collectors.joining());
        boolean ties = result.ranking().stream().skip(1).anyMatch(result::tiedWithBest);
        return ties ? table + "~ within one standard error of the best\n" : table;
    }

    private String line(List<String> row, int[] widths) {
        return IntStream.range(0, widths.length)
                        .mapToObj(i -> pad(row.get(i), widths[i], columns.get(i).left()))
                        .collect(Collectors.joining("  "))
                        .stripTrailing()
                + "\n";
    }

    private static String pad(String text, int width, boolean left) {
        String padding = " ".repeat(width - text.length());
        return left ? text + padding : padding + text;
    }
}
