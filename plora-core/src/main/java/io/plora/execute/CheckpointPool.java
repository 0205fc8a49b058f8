package io.plora.execute;

import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.adapter.TrainingState;
import io.plora.model.AtomicFiles;
import io.plora.model.BaseModel;
import io.plora.report.TrialFiles;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.Training;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/**
 * Saves adapters of a sweep and finds them again: the best and the last of each trial in PEFT's format, and what a trial that
 * has not ended resumes from.
 */
final class CheckpointPool {
    private static final String ADAPTER = "adapter";

    private final SweepFolder folder;
    private final BaseModel base;

    CheckpointPool(SweepFolder folder, BaseModel base) {
        this.folder = folder;
        this.base = base;
    }

    /** What PEFT finds the base model by. */
    private String baseName() {
        return base.folder().toString();
    }

    Path saveBest(AdapterWeights adapter) {
        return save(adapter, best(adapter.config()));
    }

    /** Where the best adapter of a trial lies, if it has one. */
    Path best(LoraConfig config) {
        return folder.best(config.id());
    }

    Path saveLast(AdapterWeights adapter) {
        return save(adapter, folder.last(adapter.config().id()));
    }

    private Path save(AdapterWeights adapter, Path path) {
        adapter.toPeftAdapter(baseName()).save(path);
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
     * Saves a trial that has not ended, as it was after its last optimizer step: adapter, training state and what it has
     * reached, all or nothing.
     */
    void saveRunning(Training.Snapshot training, Trial soFar) {
        Training.Position position = training.position();
        TrainingState state = new TrainingState(
                training.firstMoment(),
                training.secondMoment(),
                position.optimizerSteps(),
                position.samples(),
                position.epoch());
        AtomicFiles.writeFolder(
                folder.running(soFar.id()), Set.of(ADAPTER, TrialFiles.JSON_LINES, TrialFiles.CSV), unfinished -> {
                    training.toPeftAdapter(base.config(), baseName()).save(unfinished.resolve(ADAPTER), state);
                    TrialFiles.open(unfinished).append(soFar);
                });
    }

    /** Finds what {@link #saveRunning} saved. */
    Optional<Running> findRunning(LoraConfig config) {
        Path path = folder.running(config.id());
        AtomicFiles.restoreFolder(path);
        if (!Files.isDirectory(path)) {
            return Optional.empty();
        }
        Path adapter = path.resolve(ADAPTER);
        return TrialFiles.read(path).stream()
                .findFirst()
                .map(soFar -> new Running(PeftAdapter.load(adapter), TrainingState.load(adapter), soFar));
    }

    /** Forgets what a trial would resume from, once it is on record as ended. */
    void removeRunning(LoraConfig config) {
        AtomicFiles.deleteFolder(folder.running(config.id()));
    }
}
