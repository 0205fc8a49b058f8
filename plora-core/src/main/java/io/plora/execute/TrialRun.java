package io.plora.execute;

import io.plora.Evaluation;
import io.plora.Metric;
import io.plora.Trial;
import io.plora.space.LoraConfig;
import io.plora.train.StepReport;
import io.plora.train.Training;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One trial while the sweep runs: where its training is and what it has reached. The executor's thread and the thread of the
 * group that it is in use it in turn, never at once.
 */
final class TrialRun {
    private final int index;
    private final LoraConfig config;
    private final String id; // of the configuration, which works it out each time
    private @Nullable Training training; // while in a group
    private Training.@Nullable Snapshot snapshot; // while paused
    private @Nullable Evaluation last;
    private @Nullable Evaluation best;
    private @Nullable Path lastAdapter;
    private @Nullable Path bestAdapter;
    private @Nullable String failure;
    private double trainingLoss = Double.NaN;
    private long steps;
    private long tokens; // of batches that ended
    private long openTokens; // of the open batch
    private double seconds;
    private long joined;
    private long samplesDone;

    TrialRun(int index, LoraConfig config) {
        this.index = index;
        this.config = config;
        this.id = config.id();
    }

    int index() {
        return index;
    }

    LoraConfig config() {
        return config;
    }

    String id() {
        return id;
    }

    /**
     * Takes over what an earlier run of the sweep had reached.
     *
     * @param done samples, over all epochs
     * @param savedBest where the best adapter lies, if there is one
     */
    void restore(Trial soFar, long done, Path savedBest) {
        samplesDone = done;
        last = soFar.last();
        best = soFar.best();
        bestAdapter = best == null ? null : savedBest;
        trainingLoss = soFar.trainingLoss();
        steps = soFar.steps();
        tokens = soFar.tokens();
        seconds = soFar.seconds();
    }

    /** Training samples that an earlier run of the sweep had done. */
    long samplesDone() {
        return samplesDone;
    }

    Optional<Training.Snapshot> snapshot() {
        return Optional.ofNullable(snapshot);
    }

    Training training() {
        if (training == null) {
            throw new IllegalStateException("Trial (%s) is in no group.".formatted(id));
        }
        return training;
    }

    void join(Training started) {
        training = started;
        snapshot = null;
        joined = System.nanoTime();
    }

    /** Leaves its group to go on later. */
    void pause() {
        snapshot = training().snapshot();
        leave();
    }

    /** Leaves its group, and the device's memory. */
    void leave() {
        seconds = seconds();
        training().release();
        training = null;
    }

    private double seconds() {
        return seconds + (training == null ? 0 : (System.nanoTime() - joined) / 1e9);
    }

    void record(StepReport.Member report) {
        openTokens += report.rows();
        failure = report.failure();
        StepReport.Batch batch = report.batch();
        if (batch != null) {
            trainingLoss = batch.loss();
            steps++;
        }
        if (batch != null || failure != null) {
            tokens += openTokens;
            openTokens = 0;
        }
    }

    /** Whether the evaluation is the best so far. */
    boolean record(Evaluation evaluation, Metric metric) {
        last = evaluation;
        if (best == null || metric.better(evaluation.value(metric), best.value(metric))) {
            best = evaluation;
            return true;
        }
        return false;
    }

    void savedBest(Path adapter) {
        bestAdapter = adapter;
    }

    void savedLast(Path adapter) {
        lastAdapter = adapter;
    }

    @Nullable String failure() {
        return failure;
    }

    long steps() {
        return steps;
    }

    /** Tokens of batches that ended, those of earlier runs of the sweep too. */
    long tokens() {
        return tokens;
    }

    /** What it has reached up to its last optimizer step, to resume from; where adapters lie is not in it. */
    Trial soFar() {
        return trial(Trial.Status.CANCELLED).build();
    }

    Trial toTrial(Trial.Status status) {
        return trial(status)
                .withLastAdapter(lastAdapter)
                .withBestAdapter(bestAdapter)
                .withFailure(failure)
                .build();
    }

    private Trial.Builder trial(Trial.Status status) {
        return Trial.builder(config, status)
                .withLast(last)
                .withBest(best)
                .withTrainingLoss(trainingLoss)
                .withSteps(steps)
                .withTokens(tokens)
                .withSeconds(seconds());
    }
}
