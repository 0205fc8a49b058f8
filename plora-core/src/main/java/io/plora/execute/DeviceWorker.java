package io.plora.execute;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.Uninterruptibles;
import io.plora.EpochEvent;
import io.plora.Evaluation;
import io.plora.adapter.PeftAdapter;
import io.plora.cost.ActivationChoice;
import io.plora.cost.GroupMemory;
import io.plora.kernels.Kernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import io.plora.train.StepReport;
import io.plora.train.Training;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One device at work, on a thread of its own: it loads the base model once, then runs one group after the other. What it is
 * asked to do, it does in the order asked.
 *
 * <p>An iteration that fails reports its error as outcome. What is in memory is not to be trusted then: nothing of it is saved
 * any more, files stay as they were.
 */
final class DeviceWorker implements AutoCloseable {
    private static final Logger LOGGER = LoggerFactory.getLogger(DeviceWorker.class);

    private final SweepSpec spec;
    private final ComputeDevice device;
    private final CheckpointPool checkpoints;
    private final @Nullable PeftAdapter initial;
    private final ActivationChoice activations;
    private final ExecutorService thread;
    /** Trials that join with the next iteration. */
    private final List<TrialRun> joining = new ArrayList<>();

    private @Nullable Base base;
    private @Nullable Group group;
    private boolean failed;
    private long lastSaved; // the running group, on the clock of System.nanoTime

    private record Base(Kernels kernels, DecoderWeights weights) {}

    /** A running group; members by the training that is theirs. */
    private record Group(int id, PackedTrainer trainer, Map<Training, TrialRun> members) {
        List<TrialRun> trials() {
            return trainer.members().stream().map(members::get).toList();
        }
    }

    DeviceWorker(SweepSpec spec, ComputeDevice device, CheckpointPool checkpoints, @Nullable PeftAdapter initial) {
        this.spec = spec;
        this.device = device;
        this.checkpoints = checkpoints;
        this.initial = initial;
        this.activations = spec.activations();
        this.thread = Executors.newSingleThreadExecutor(task -> new Thread(task, "plora " + device.name()));
    }

    /** A trial becomes a member with the next iteration. */
    void join(TrialRun trial) {
        thread.execute(() -> joining.add(trial));
    }

    /** A member, or a trial that is about to become one, waits again; on return it is free for another device. */
    void leave(TrialRun trial) {
        inTurn(() -> {
            if (!joining.remove(trial) && group != null) {
                group.trainer().leave(trial.training());
                group.members().remove(trial.training());
                trial.pause();
            }
        });
    }

    /** Frees the memory of the group, which has no members. */
    void closeGroup() {
        thread.execute(() -> {
            if (group != null) {
                group.trainer().release();
                group = null;
            }
        });
    }

    /** Runs an iteration and hands its outcome on, from this device's thread. */
    void iterate(GroupTask task, Consumer<GroupOutcome> outcomes) {
        thread.execute(() -> {
            GroupOutcome outcome;
            try {
                outcome = run(task);
            } catch (OutOfMemoryError e) {
                outcome = GroupOutcome.ofError(task.group(), outOfMemory(e));
            } catch (Throwable e) {
                outcome = GroupOutcome.ofError(task.group(), e);
            }
            failed = outcome.error() != null;
            outcomes.accept(outcome);
        });
    }

    private IllegalStateException outOfMemory(OutOfMemoryError cause) {
        return new IllegalStateException(
                "Device (%s) ran out of memory (%s). Maybe lower the token budget (%d) or the device's memory, or on the CPU raise -XX:MaxDirectMemorySize."
                        .formatted(device.name(), cause.getMessage(), activations.tokenBudget()),
                cause);
    }

    private GroupOutcome run(GroupTask task) {
        Group running = group(task.group());
        if (!joining.isEmpty()) {
            joinAll(running);
        }
        Map<Training, Integer> samples = new LinkedHashMap<>();
        task.samples().forEach((trial, count) -> samples.put(trial.training(), count));
        Map<TrialRun, Integer> epochsBefore = new HashMap<>();
        task.samples().keySet().forEach(trial -> epochsBefore.put(trial, epoch(trial)));

        long start = System.nanoTime();
        StepReport report = running.trainer().step(samples);
        double seconds = (System.nanoTime() - start) / 1e9;

        Map<TrialRun, Integer> tokens = new LinkedHashMap<>();
        Map<String, Double> losses = new LinkedHashMap<>();
        List<TrialRun> failures = new ArrayList<>();
        for (StepReport.Member member : report.members()) {
            TrialRun trial = running.members().get(member.training());
            trial.record(member);
            tokens.put(trial, member.rows());
            StepReport.Batch batch = member.batch();
            if (batch != null) {
                losses.put(trial.id(), batch.loss());
            }
            if (member.failure() != null) {
                failures.add(trial);
            }
        }
        remove(running, failures);
        List<EpochEvent> epochs = endEpochs(running, epochsBefore);
        saveIfDue(running);
        return new GroupOutcome(task.group(), seconds, tokens, losses, epochs, failures, null);
    }

    /** Evaluates members that are through with an epoch; those that are through with all leave. */
    private List<EpochEvent> endEpochs(Group running, Map<TrialRun, Integer> epochsBefore) {
        List<TrialRun> atEnd = running.trials().stream()
                .filter(trial -> epoch(trial) > epochsBefore.getOrDefault(trial, Integer.MAX_VALUE))
                .toList();
        List<EpochEvent> epochs = evaluate(running, atEnd);
        remove(
                running,
                atEnd.stream().filter(trial -> trial.training().isDone()).toList());
        return epochs;
    }

    private static int epoch(TrialRun trial) {
        return trial.training().position().epoch();
    }

    private Group group(int id) {
        if (group == null || group.id() != id) {
            Base loaded = base();
            PackedTrainer trainer =
                    new PackedTrainer(model(), loaded.weights(), loaded.kernels(), activations.policy());
            group = new Group(id, trainer, new HashMap<>());
            lastSaved = System.nanoTime();
        }
        return group;
    }

    private Base base() {
        if (base == null) {
            Kernels kernels = device.open();
            try {
                base = new Base(kernels, DecoderWeights.load(spec.base(), kernels, spec.longestSequence()));
            } catch (Throwable e) {
                kernels.close();
                throw e;
            }
        }
        return base;
    }

    private ModelConfig model() {
        return spec.base().config();
    }

    /** Memory of activations stays as it is where it is not more than there is beside all members. */
    private void joinAll(Group running) {
        List<TrialRun> all =
                Stream.concat(running.trials().stream(), joining.stream()).toList();
        if (tokensBeside(all) < running.trainer().reserved()) {
            running.trainer().release();
        }
        joining.forEach(trial -> join(running, trial));
        joining.clear();
        running.trainer().reserve(tokensAtOnce(running));
    }

    /**
     * Where there is not enough memory in one piece, all activations go, then members move together; if that does not help,
     * there is less memory than planned.
     */
    private void join(Group running, TrialRun trial) {
        if (fits(running, trial)) {
            return;
        }
        running.trainer().release();
        if (fits(running, trial)) {
            return;
        }
        moveTogether(running);
        admit(running, trial);
    }

    private boolean fits(Group running, TrialRun trial) {
        try {
            admit(running, trial);
            return true;
        } catch (OutOfMemoryError e) {
            LOGGER.debug("Trial ({}) finds no memory. {}", trial.id(), e.getMessage());
            return false;
        }
    }

    /** Members leave memory and come back one behind the other, in their order. */
    private void moveTogether(Group running) {
        List<TrialRun> members = running.trials();
        for (TrialRun member : members) {
            running.trainer().leave(member.training());
            running.members().remove(member.training());
            member.pause();
        }
        members.forEach(member -> admit(running, member));
    }

    private void admit(Group running, TrialRun trial) {
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
                spec.validation().evaluate(running.trainer(), adapters, moments, evaluationTokens(running));
        List<EpochEvent> events = new ArrayList<>();
        for (int i = 0; i < trials.size(); i++) {
            TrialRun trial = trials.get(i);
            LoraConfig config = trial.config();
            boolean best = trial.record(evaluations.get(i), spec.metric());
            boolean done = trial.training().isDone();
            if (best || done) {
                save(trial, checkpoints.copy(adapters.get(i)), best, done);
            }
            if (!done) {
                saveRunning(trial);
            }
            events.add(new EpochEvent(trial.id(), epoch(trial), evaluations.get(i)));
        }
        return events;
    }

    private void save(TrialRun trial, Supplier<PeftAdapter> adapter, boolean best, boolean last) {
        LoraConfig config = trial.config();
        if (best && last) {
            checkpoints.saveBestAndLast(config, adapter);
        } else if (best) {
            checkpoints.saveBest(config, adapter);
        } else {
            checkpoints.saveLast(config, adapter);
        }
        if (best) {
            trial.savedBest(checkpoints.best(config));
        }
        if (last) {
            trial.savedLast(checkpoints.last(config));
        }
    }

    /** Tokens of a pass of an evaluation: what the token budget and the memory beside the members allow. */
    private int evaluationTokens(Group running) {
        return (int) Math.min(activations.tokenBudget(), Math.max(1, tokensBeside(running.trials())));
    }

    /** Tokens whose activations memory holds beside some adapters. */
    private long tokensBeside(List<TrialRun> trials) {
        GroupMemory memory = spec.memory(activations.policy());
        long free = device.memoryBytes() - memory.baseBytes(1);
        long tokenBytes = 1;
        for (TrialRun trial : trials) {
            free -= memory.adapterBytes(trial.config(), 1);
            tokenBytes = Math.max(tokenBytes, memory.tokenBytes(trial.config(), 1));
        }
        return free / tokenBytes;
    }

    /** Tokens of the largest iteration that the members can take. */
    private int tokensAtOnce(Group running) {
        long batches = running.trials().stream()
                .mapToLong(trial ->
                        (long) trial.config().batchSize() * spec.training().longest())
                .sum();
        return (int) Math.min(batches, evaluationTokens(running));
    }

    private void saveIfDue(Group running) {
        long now = System.nanoTime();
        if (Duration.ofNanos(now - lastSaved).compareTo(spec.checkpointInterval()) >= 0) {
            running.trials().forEach(this::saveRunning);
            lastSaved = now;
        }
    }

    private void saveRunning(TrialRun trial) {
        checkpoints.saveRunning(trial.training().snapshot(), trial.soFar());
    }

    private static void remove(Group running, List<TrialRun> trials) {
        for (TrialRun trial : trials) {
            running.trainer().leave(trial.training());
            running.members().remove(trial.training());
            trial.leave();
        }
    }

    /** Saves all members, to be resumed by a later run of the sweep; nothing if an iteration failed. */
    void saveMembers() {
        inTurn(() -> {
            if (group != null && !failed) {
                group.trials().forEach(this::saveRunning);
            }
        });
    }

    /** Does something on this device's thread and waits for it. */
    private void inTurn(Runnable work) {
        try {
            Uninterruptibles.getUninterruptibly(thread.submit(work));
        } catch (ExecutionException e) {
            Throwables.throwIfUnchecked(e.getCause());
            throw new IllegalStateException(e.getCause());
        }
    }

    /** Waits for the iteration in progress, if there is one, and frees the device. */
    @Override
    public void close() {
        thread.execute(() -> {
            if (base != null) {
                base.kernels().close();
            }
        });
        thread.shutdown();
        Uninterruptibles.awaitTerminationUninterruptibly(thread);
    }
}
