package io.plora.execute;

import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.adapter.TrainingState;
import io.plora.report.TrialFiles;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.Training;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Saves adapters of a sweep and finds them again: the best and the last of each trial in PEFT's format, and what a trial that
 * has not ended resumes from.
 */
final class CheckpointPool {
    private final SweepFolder folder;
    private final String baseModel;

    CheckpointPool(SweepFolder folder, String baseModel) {
        this.folder = folder;
        this.baseModel = baseModel;
    }

    Path saveBest(AdapterWeights adapter) {
        return save(adapter, folder.best(adapter.config().id()));
    }

    Path saveLast(AdapterWeights adapter) {
        return save(adapter, folder.last(adapter.config().id()));
    }

    private Path save(AdapterWeights adapter, Path path) {
        adapter.toPeftAdapter(baseModel).save(path);
        return path;
    }

    /** What a trial resumes from. */
    record Running(PeftAdapter adapter, TrainingState state, Trial soFar) {
        Training.Position position() {
            return new Training.Position(state.epoch(), Math.toIntExact(state.samplesDone()), state.optimizerSteps());
        }

        /** Samples done in all epochs. */
        long samplesDone(int samplesAnEpoch) {
            return (long) state.epoch() * samplesAnEpoch + state.samplesDone();
        }
    }

    /**
     * Saves a trial that has not ended, as it was after its last optimizer step. What it has reached goes first: should the
     * machine stop between the two, the trial repeats what was reached and reaches it again.
     *
     * @param soFar what it has reached
     */
    void saveRunning(Training training, Trial soFar) {
        Path path = folder.running(soFar.id());
        TrialFiles.open(folder.trial(soFar.id())).append(soFar);
        AdapterWeights weights = training.weights();
        Training.Position position = training.position();
        weights.toPeftAdapter(baseModel)
                .save(
                        path,
                        new TrainingState(
                                weights.firstMoment(),
                                weights.secondMoment(),
                                position.optimizerSteps(),
                                position.samples(),
                                position.epoch()));
    }

    /** Finds what {@link #saveRunning} saved. */
    Optional<Running> findRunning(LoraConfig config) {
        Path path = folder.running(config.id());
        if (!Files.isDirectory(path)) {
            return Optional.empty();
        }
        List<Trial> reached = TrialFiles.read(folder.trial(config.id()));
        return reached.isEmpty()
                ? Optional.empty()
                : Optional.of(new Running(PeftAdapter.load(path), TrainingState.load(path), reached.get(0)));
    }

    /** Forgets what a trial would resume from, once it is on record as ended. */
    void removeRunning(LoraConfig config) {
        try {
            delete(folder.running(config.id()));
            Files.deleteIfExists(folder.trial(config.id()).resolve(TrialFiles.JSON_LINES));
            Files.deleteIfExists(folder.trial(config.id()).resolve(TrialFiles.CSV));
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "%s: could not be deleted (%s).".formatted(folder.running(config.id()), e), e);
        }
    }

    private static void delete(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            try (Stream<Path> entries = Files.list(path)) {
                for (Path entry : entries.toList()) {
                    Files.delete(entry);
                }
            }
            Files.delete(path);
        }
    }
}
