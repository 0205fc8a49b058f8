package io.plora;

import io.plora.report.TrialTable;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The trials of a sweep, ranked.
 *
 * @param ranking finished trials from best to worst by the metric, those without a value after the others; then cancelled,
 *     then failed ones; equal ones by id
 * @param metric what the sweep ranks by
 * @param output the sweep's folder
 * @param seconds wall time of the sweep, all of its runs together if it was resumed
 */
public record SweepResult(List<Trial> ranking, Metric metric, Path output, double seconds) {

    /** Ranks the trials, which may come in any order. */
    public SweepResult {
        ranking = ranking.stream()
                .sorted(Comparator.comparing(Trial::status)
                        .thenComparing(trial -> trial.value(metric), metric.bestFirst())
                        .thenComparing(Trial::id))
                .toList();
    }

    /**
     * The finished trial with the best value of the metric.
     *
     * @throws IllegalStateException if no trial finished, or none that finished has a value
     */
    public Trial best() {
        if (ranking.isEmpty() || ranking.get(0).status() != Trial.Status.FINISHED) {
            throw new IllegalStateException("None of the (%d) trials finished.%s".formatted(ranking.size(), reasons()));
        }
        Trial first = ranking.get(0);
        if (Double.isNaN(first.value(metric))) {
            throw new IllegalStateException(
                    "No finished trial has a %s. Maybe give the sweep validation data, or choose from ranking() yourself."
                            .formatted(metric.label()));
        }
        return first;
    }

    private String reasons() {
        return failures().stream()
                .map(trial -> "%n  %s: %s".formatted(trial.id(), trial.failure()))
                .collect(Collectors.joining());
    }

    /** Trials that ended by an error. */
    public List<Trial> failures() {
        return ranking.stream()
                .filter(trial -> trial.status() == Trial.Status.FAILED)
                .toList();
    }

    /**
     * Whether the trial's value is within one standard error of the best value, the best one's standard error (the rule of
     * Breiman et al. 1984). All trials are evaluated on the same data, which makes the rule a cautious one: trials that it
     * calls tied may still differ. Without a standard error only equal values are tied.
     */
    public boolean tiedWithBest(Trial trial) {
        if (ranking.isEmpty() || trial.status() != Trial.Status.FINISHED) {
            return false;
        }
        Trial first = ranking.get(0);
        Evaluation evaluation = first.evaluation();
        double error = evaluation == null ? Double.NaN : evaluation.standardError(metric);
        return Math.abs(trial.value(metric) - first.value(metric)) <= (Double.isNaN(error) ? 0 : error);
    }

    /** Tokens trained on by all trials. */
    public long tokens() {
        return ranking.stream().mapToLong(Trial::tokens).sum();
    }

    /** Tokens of all trials over the sweep's wall time; 0 if that is 0. */
    public double tokensPerSecond() {
        return seconds > 0 ? tokens() / seconds : 0;
    }

    /** Optimizer steps of all trials. */
    public long steps() {
        return ranking.stream().mapToLong(Trial::steps).sum();
    }

    /** The ranking as text, see {@link TrialTable}. */
    public String toTable() {
        return TrialTable.of(this);
    }
}
