package io.plora.execute;

import io.plora.FailureEvent;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepStart;
import io.plora.Trial;
import io.plora.plan.Action;
import io.plora.plan.EndReason;
import io.plora.plan.SweepProgress;
import io.plora.report.TrialFiles;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/** One run of a sweep: from the policy's decisions to the devices, and from what the devices report to the record. */
final class SweepRun {
    private final SweepSpec spec;
    private final SweepListener listener;
    private final SweepProgress progress;
    private final List<TrialRun> trials;
    private final List<DeviceWorker> workers;
    private final CheckpointPool checkpoints;
    private final TrialFiles files;
    private final List<Trial> ended;
    private final BooleanSupplier cancelled;
    private final BlockingQueue<GroupOutcome> outcomes = new LinkedBlockingQueue<>();
    private final Map<Integer, DeviceWorker> workerOfGroup = new HashMap<>();
    private int inFlight;
    private long tokensDone;

    SweepRun(
            SweepSpec spec,
            SweepListener listener,
            SweepProgress progress,
            List<TrialRun> trials,
            List<DeviceWorker> workers,
            CheckpointPool checkpoints,
            TrialFiles files,
            List<Trial> ended,
            BooleanSupplier cancelled) {
        this.spec = spec;
        this.listener = listener;
        this.progress = progress;
        this.trials = trials;
        this.workers = workers;
        this.checkpoints = checkpoints;
        this.files = files;
        this.ended = ended;
        this.cancelled = cancelled;
    }

    void toEnd() {
        announce();
        try {
            boolean goesOn = false;
            while (!progress.state().isDone() && !cancelled.getAsBoolean()) {
                if (!goesOn) {
                    carryOut(progress.decide(spec.policy()).actions());
                }
                int group = settle(outcomes.take());
                goesOn = progress.state().group(group).isIterating();
                if (goesOn && !cancelled.getAsBoolean()) {
                    submit(group, List.of(), List.of());
                }
            }
            while (inFlight > 0) {
                settle(outcomes.take());
            }
            if (!progress.state().isDone()) {
                saveForLater();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("The sweep's thread was interrupted. Maybe cancel the sweep instead.", e);
        }
    }

    private void announce() {
        String devices = spec.devices().stream().map(ComputeDevice::name).collect(Collectors.joining(", "));
        listener.sweepStarted(new SweepStart(
                trials.stream().map(TrialRun::config).toList(),
                devices,
                tokensLeft(),
                progress.state().trials().stream()
                        .mapToLong(trial -> trial.stepsLeft())
                        .sum(),
                spec.metric(),
                spec.output()));
    }

    /** Tokens of samples that trials have still to do. */
    private long tokensLeft() {
        return progress.state().trials().stream()
                .mapToLong(trial -> spec.tokensLeft(trial))
                .sum();
    }

    private void carryOut(List<Action> actions) {
        Map<Integer, List<TrialRun>> joins = new HashMap<>();
        Map<Integer, List<TrialRun>> leaves = new HashMap<>();
        for (Action action : actions) {
            if (action instanceof Action.OpenGroup open) {
                workerOfGroup.put(open.group(), worker(open));
            } else if (action instanceof Action.Join join) {
                joins.computeIfAbsent(join.group(), key -> new ArrayList<>()).add(trials.get(join.trial()));
            } else if (action instanceof Action.Leave leave) {
                leaves.computeIfAbsent(leave.group(), key -> new ArrayList<>()).add(trials.get(leave.trial()));
            } else if (action instanceof Action.CloseGroup close) {
                workerOfGroup.remove(close.group());
            } else if (action instanceof Action.Iterate iterate) {
                int group = iterate.group();
                submit(group, leaves.getOrDefault(group, List.of()), joins.getOrDefault(group, List.of()));
            }
        }
    }

    /** Lets a group run the next iteration of its stretch. */
    private void submit(int group, List<TrialRun> leaves, List<TrialRun> joins) {
        SortedMap<TrialRun, Integer> samples = GroupTask.byIndex();
        progress.state()
                .group(group)
                .iteration()
                .forEach((trial, share) -> samples.put(
                        trials.get(trial),
                        Math.min(share, progress.state().trial(trial).lacking())));
        workerOfGroup.get(group).submit(new GroupTask(group, leaves, joins, samples), outcomes::add);
        inFlight++;
    }

    private DeviceWorker worker(Action.OpenGroup open) {
        if (open.devices().size() != 1) {
            throw new IllegalArgumentException(
                    "Policy (%s) opens group (%d) on devices (%s), but a group runs on one device. Maybe use a policy that plans groups of one device."
                            .formatted(spec.policy().name(), open.group(), open.devices()));
        }
        return workers.get(open.devices().get(0));
    }

    /** @return the group */
    private int settle(GroupOutcome outcome) {
        inFlight--;
        if (outcome.error() != null) {
            throw failure(outcome.error());
        }
        tokensDone += outcome.tokens();
        int iteration = progress.state().group(outcome.group()).iterations();
        Map<Integer, EndReason> failed =
                outcome.failed().stream().collect(Collectors.toMap(TrialRun::index, trial -> EndReason.FAILED));
        SortedMap<Integer, EndReason> ends = progress.finish(outcome.group(), failed);
        listener.stepCompleted(new StepEvent(
                outcome.group(),
                iteration,
                outcome.tokens(),
                outcome.seconds(),
                outcome.losses(),
                tokensDone,
                tokensDone + tokensLeft()));
        outcome.epochs().forEach(listener::epochCompleted);
        ends.forEach((trial, reason) -> end(trials.get(trial), reason));
        return outcome.group();
    }

    private static RuntimeException failure(Throwable error) {
        if (error instanceof Error serious) {
            throw serious;
        }
        return error instanceof RuntimeException failure ? failure : new IllegalStateException(error);
    }

    private void end(TrialRun run, EndReason reason) {
        String failure = run.failure();
        if (failure != null) {
            listener.trialFailed(new FailureEvent(run.config().id(), run.steps(), failure));
        }
        Trial trial = run.toTrial(reason == EndReason.FAILED ? Trial.Status.FAILED : Trial.Status.FINISHED);
        files.append(trial);
        checkpoints.removeRunning(run.config());
        ended.add(trial);
        listener.trialEnded(trial);
    }

    /** The sweep was cancelled: what runs is saved, and all that has not ended is reported as cancelled. */
    private void saveForLater() throws InterruptedException {
        for (DeviceWorker worker : workers) {
            worker.saveMembers();
        }
        for (TrialRun run : trials) {
            if (!isEnded(run)) {
                progress.end(run.index(), EndReason.CANCELLED);
                Trial trial = run.toTrial(Trial.Status.CANCELLED);
                ended.add(trial);
                listener.trialEnded(trial);
            }
        }
    }

    private boolean isEnded(TrialRun run) {
        return ended.stream().anyMatch(trial -> trial.id().equals(run.config().id()));
    }
}
