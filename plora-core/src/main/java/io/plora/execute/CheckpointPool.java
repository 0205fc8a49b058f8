package io.plora.execute;

import com.google.common.base.Suppliers;
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
import java.util.concurrent.Future;
import java.util.function.Supplier;

/**
 * Saves adapters of a sweep and finds them again: the best and the last of each trial in PEFT's format, and what a trial that
 * has not ended resumes from. Files are written in the background, see {@link #written}.
 */
final class CheckpointPool {
    private static final String ADAPTER = "adapter";

    private final SweepFolder folder;
    private final BaseModel base;
    private final BackgroundWriter writer;

    CheckpointPool(SweepFolder folder, BaseModel base, BackgroundWriter writer) {
        this.folder = folder;
        this.base = base;
        this.writer = writer;
    }

    /** Done when all that was saved before is on disk; it fails if something could not be written. */
    Future<?> written() {
        return writer.written();
    }

    /** What PEFT finds the base model by. */
    private String baseName() {
        return base.folder().toString();
    }

    /** The adapter as it is now, to save. */
    Supplier<PeftAdapter> copy(AdapterWeights adapter) {
        return Suppliers.memoize(adapter.copy(baseName())::get);
    }

    Path saveBest(LoraConfig config, Supplier<PeftAdapter> adapter) {
        return save(adapter, best(config));
    }

    /** Where the best adapter of a trial lies, if it has one. */
    Path best(LoraConfig config) {
        return folder.best(config.id());
    }

    Path saveLast(LoraConfig config, Supplier<PeftAdapter> adapter) {
        return save(adapter, folder.last(config.id()));
    }

    /** The last adapter is the best one, which was saved just before. */
    Path saveLastAsBest(LoraConfig config, Supplier<PeftAdapter> adapter) {
        Path path = folder.last(config.id());
        writer.write(() -> adapter.get().save(path, best(config)));
        return path;
    }

    private Path save(Supplier<PeftAdapter> adapter, Path path) {
        writer.write(() -> adapter.get().save(path));
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
        writer.write(() -> AtomicFiles.writeFolder(
                folder.running(soFar.id()), Set.of(ADAPTER, TrialFiles.JSON_LINES, TrialFiles.CSV), unfinished -> {
                    training.toPeftAdapter(base.config(), baseName()).save(unfinished.resolve(ADAPTER), state);
                    TrialFiles.open(unfinished).append(soFar);
                }));
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
