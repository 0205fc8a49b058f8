package io.plora.execute;

import io.plora.EpochEvent;
import io.plora.Evaluation;
import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import io.plora.train.StepReport;
import io.plora.train.Training;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One device at work, on a thread of its own: it loads the base model once, then runs one group after the other.
 *
 * <p>Work that fails reports its error as outcome and leaves files as they were.
 */
final class DeviceWorker implements AutoCloseable {
    private final SweepSpec spec;
    private final ComputeDevice device;
    private final CheckpointPool checkpoints;
    private final @Nullable PeftAdapter initial;
    private final ExecutorService thread;
    private @Nullable Base base;
    private @Nullable Group group;

    private record Base(Kernels kernels, DecoderWeights weights) {}

    /** A running group; members by the training that is theirs. */
    private record Group(int id, PackedTrainer trainer, Map<Training, TrialRun> members, long[] lastSaved) {}

    DeviceWorker(SweepSpec spec, ComputeDevice device, CheckpointPool checkpoints, @Nullable PeftAdapter initial) {
        this.spec = spec;
        this.device = device;
        this.checkpoints = checkpoints;
        this.initial = initial;
        this.thread = Executors.newSingleThreadExecutor(task -> new Thread(task, "plora " + device.name()));
    }

    /** Carries a task out and hands its outcome on, from this device's thread. */
    void submit(GroupTask task, Consumer<GroupOutcome> outcomes) {
        thread.execute(() -> {
            GroupOutcome outcome;
            try {
                outcome = run(task);
            } catch (OutOfMemoryError e) {
                outcome = GroupOutcome.ofError(task.group(), outOfMemory(e));
            } catch (Throwable e) {
                outcome = GroupOutcome.ofError(task.group(), e);
            }
            outcomes.accept(outcome);
        });
    }

    private IllegalStateException outOfMemory(OutOfMemoryError cause) {
        return new IllegalStateException(
                "Device (%s) ran out of memory (%s). Maybe lower the token budget (%d) or the device's memory, or raise -XX:MaxDirectMemorySize."
                        .formatted(device.name(), cause.getMessage(), spec.tokenBudget()),
                cause);
    }

    private GroupOutcome run(GroupTask task) {
        Group running = group(task.group());
        task.leaves().forEach(trial -> {
            running.trainer().leave(trial.training());
            running.members().remove(trial.training());
            trial.pause();
        });
        task.joins().forEach(trial -> join(running, trial));
        long start = System.nanoTime();
        Map<Training, Integer> samples = new LinkedHashMap<>();
        task.samples().forEach((trial, count) -> samples.put(trial.training(), count));
        Map<TrialRun, Integer> epochsBefore = new HashMap<>();
        running.members().values().forEach(trial -> epochsBefore.put(trial, epoch(trial)));
        StepReport report = running.trainer().step(samples);
        double seconds = (System.nanoTime() - start) / 1e9;

        Map<String, Double> losses = new LinkedHashMap<>();
        List<TrialRun> failed = new ArrayList<>();
        List<TrialRun> evaluated = new ArrayList<>();
        for (StepReport.Member member : report.members()) {
            TrialRun trial = running.members().get(member.training());
            trial.record(member);
            StepReport.Batch batch = member.batch();
            if (batch != null) {
                losses.put(trial.config().id(), batch.loss());
            }
            if (member.failure() != null) {
                failed.add(trial);
            } else if (epoch(trial) > epochsBefore.get(trial)) {
                evaluated.add(trial);
            }
        }
        List<EpochEvent> epochs = evaluate(running, evaluated);
        saveIfDue(running);
        removeEnded(running, failed);
        return new GroupOutcome(task.group(), seconds, report.rows(), losses, epochs, failed, null);
    }

    private static int epoch(TrialRun trial) {
        return trial.training().position().epoch();
    }

    private Group group(int id) {
        if (group == null || group.id() != id) {
            Base loaded = base();
            PackedTrainer trainer = new PackedTrainer(model(), loaded.weights(), loaded.kernels());
            group = new Group(id, trainer, new HashMap<>(), new long[] {System.nanoTime()});
        }
        return group;
    }

    private Base base() {
        if (base == null) {
            Kernels kernels = device.open();
            base = new Base(kernels, DecoderWeights.load(spec.base(), kernels, spec.longestSequence()));
        }
        return base;
    }

    private ModelConfig model() {
        return spec.base().config();
    }

    private void join(Group running, TrialRun trial) {
        Kernels kernels = base().kernels();
        Training training = trial.snapshot()
                .map(snapshot -> Training.resume(model(), kernels, spec.training(), spec.epochs(), snapshot))
                .orElseGet(() -> fromDisk(trial, kernels));
        trial.join(training);
        running.trainer().join(training);
        running.members().put(training, trial);
    }

    /** Goes on with what an earlier run of this sweep saved, or starts. */
    private Training fromDisk(TrialRun trial, Kernels kernels) {
        return checkpoints
                .findRunning(trial.config())
                .map(saved -> {
                    AdapterWeights weights = AdapterWeights.of(model(), trial.config(), kernels, saved.adapter());
                    weights.setMoments(
                            saved.state().firstMoment(), saved.state().secondMoment());
                    return new Training(weights, spec.training(), spec.epochs(), saved.position());
                })
                .orElseGet(() -> new Training(
                        initial == null
                                ? AdapterWeights.initialize(model(), trial.config(), kernels)
                                : AdapterWeights.of(model(), trial.config(), kernels, initial),
                        spec.training(),
                        spec.epochs(),
                        Training.Position.START));
    }

    /** Evaluates the trials that ended an epoch, packed together, and saves them. */
    private List<EpochEvent> evaluate(Group running, List<TrialRun> trials) {
        if (trials.isEmpty()) {
            return List.of();
        }
        List<AdapterWeights> adapters =
                trials.stream().map(trial -> trial.training().weights()).toList();
        List<Validation.Moment> moments = trials.stream()
                .map(trial -> new Validation.Moment(
                        epoch(trial), (long) epoch(trial) * spec.training().size()))
                .toList();
        List<Evaluation> evaluations =
                spec.validation().evaluate(running.trainer(), adapters, moments, spec.tokenBudget());
        List<EpochEvent> events = new ArrayList<>();
        for (int i = 0; i < trials.size(); i++) {
            TrialRun trial = trials.get(i);
            AdapterWeights weights = adapters.get(i);
            if (trial.record(evaluations.get(i), spec.metric())) {
                trial.savedBest(checkpoints.saveBest(weights));
            }
            if (trial.training().isDone()) {
                trial.savedLast(checkpoints.saveLast(weights));
            } else {
                saveRunning(trial);
            }
            events.add(new EpochEvent(trial.config().id(), epoch(trial), evaluations.get(i)));
        }
        return events;
    }

    private void saveIfDue(Group running) {
        long now = System.nanoTime();
        if (now - running.lastSaved()[0] > spec.checkpointInterval().toNanos()) {
            running.members().values().stream()
                    .filter(trial ->
                            trial.failure() == null && !trial.training().isDone())
                    .forEach(this::saveRunning);
            running.lastSaved()[0] = now;
        }
    }

    private void saveRunning(TrialRun trial) {
        checkpoints.saveRunning(trial.training(), trial.toTrial(Trial.Status.CANCELLED));
    }

    private static void removeEnded(Group running, List<TrialRun> failed) {
        List<TrialRun> ended = running.members().values().stream()
                .filter(trial -> failed.contains(trial) || trial.training().isDone())
                .toList();
        for (TrialRun trial : ended) {
            running.trainer().leave(trial.training());
            running.members().remove(trial.training());
            trial.leave();
        }
    }

    /** Saves all members, to be resumed by a later run of the sweep. */
    void saveMembers() throws InterruptedException {
        try {
            thread.submit(() -> {
                        if (group != null) {
                            group.members().values().forEach(this::saveRunning);
                        }
                    })
                    .get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("Running trials could not be saved: " + e.getCause(), e.getCause());
        }
    }

    @Override
    public void close() {
        thread.execute(() -> {
            if (base != null) {
                base.kernels().close();
            }
        });
        thread.shutdown();
    }
}
