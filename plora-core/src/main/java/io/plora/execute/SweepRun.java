package io.plora.execute;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.Uninterruptibles;
import io.plora.FailureEvent;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepStart;
import io.plora.Trial;
import io.plora.cost.Calibration;
import io.plora.plan.Action;
import io.plora.plan.EndReason;
import io.plora.plan.GroupState;
import io.plora.plan.Phase;
import io.plora.plan.SweepProgress;
import io.plora.plan.TrialState;
import io.plora.report.TrialFiles;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
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
    private final AtomicBoolean cancelled;
    private final BlockingQueue<GroupOutcome> outcomes = new LinkedBlockingQueue<>();
    private final Map<Integer, DeviceWorker> workerOfGroup = new HashMap<>();
    private final Deque<Ending> ending = new ArrayDeque<>();
    private final RunTimes times;
    private final long[] tokensLeft; // of each trial
    private int inFlight;
    private long tokensDone;
    private boolean interrupted;

    /** A trial that has ended, but whose files may not be on disk yet. */
    private record Ending(TrialRun trial, EndReason reason, Future<?> written) {}

    SweepRun(
            SweepSpec spec,
            SweepListener listener,
            SweepProgress progress,
            List<TrialRun> trials,
            List<DeviceWorker> workers,
            CheckpointPool checkpoints,
            TrialFiles files,
            List<Trial> ended,
            AtomicBoolean cancelled) {
        this.spec = spec;
        this.listener = listener;
        this.progress = progress;
        this.trials = trials;
        this.workers = workers;
        this.checkpoints = checkpoints;
        this.files = files;
        this.ended = ended;
        this.cancelled = cancelled;
        times = new RunTimes(spec, progress);
        long tokensOfTrial = spec.tokensOfTrial();
        tokensLeft = trials.stream()
                .mapToLong(trial -> tokensOfTrial - trial.tokens())
                .toArray();
    }

    /** Runs until all trials have ended, or until it is cancelled; an interrupt of this thread cancels it. */
    void toEnd() {
        try {
            boolean goesOn = false;
            while (!progress.state().isDone() && !cancelled.get()) {
                if (!goesOn) {
                    carryOut(progress.decide(spec.policy()).actions());
                }
                int group = settle(nextOutcome());
                goesOn = progress.state().group(group).isIterating();
                if (goesOn && !cancelled.get()) {
                    iterate(group);
                }
            }
            while (inFlight > 0) {
                settle(nextOutcome());
            }
            endAll();
            if (!progress.state().isDone()) {
                giveUpStretches();
                workers.forEach(DeviceWorker::saveMembers);
                trials.forEach(this::saveIfPaused);
                BackgroundWriter.await(checkpoints.written());
                reportCancelled();
            }
        } catch (RuntimeException | Error e) {
            rescue(e);
            throw e;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** What this run is going to do, for listeners. */
    SweepStart start() {
        return new SweepStart(
                trials.stream().map(TrialRun::config).toList(),
                spec.deviceNames(),
                tokensLeft(),
                progress.state().trials().stream()
                        .mapToLong(TrialState::stepsLeft)
                        .sum(),
                spec.metric(),
                spec.output());
    }

    /** Tokens of samples that trials have still to do. */
    private long tokensLeft() {
        long sum = 0;
        for (long left : tokensLeft) {
            sum += left;
        }
        return sum;
    }

    private void carryOut(List<Action> actions) {
        for (Action action : actions) {
            if (action instanceof Action.OpenGroup open) {
                workerOfGroup.put(open.group(), worker(open));
                continue;
            }
            DeviceWorker worker = workerOfGroup.get(action.group());
            if (action instanceof Action.Join join) {
                worker.join(trials.get(join.trial()));
            } else if (action instanceof Action.Leave leave) {
                worker.leave(trials.get(leave.trial()));
            } else if (action instanceof Action.CloseGroup close) {
                worker.closeGroup();
                workerOfGroup.remove(close.group());
            } else if (action instanceof Action.Iterate iterate) {
                iterate(iterate.group());
            }
        }
    }

    /** Lets a group run the next iteration of its stretch. */
    private void iterate(int group) {
        SortedMap<TrialRun, Integer> samples = GroupTask.byIndex();
        progress.state().nextIteration(group).forEach((trial, count) -> samples.put(trials.get(trial), count));
        times.begun(group, samples);
        workerOfGroup.get(group).iterate(new GroupTask(group, samples), outcomes::add);
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

    private GroupOutcome nextOutcome() {
        GroupOutcome outcome;
        try {
            outcome = outcomes.take();
        } catch (InterruptedException e) {
            // the flag comes back at the end: set, it would close the files that are still to be written
            interrupted = true;
            cancelled.set(true);
            outcome = Uninterruptibles.takeUninterruptibly(outcomes);
        }
        inFlight--;
        return outcome;
    }

    /** @return the group */
    private int settle(GroupOutcome outcome) {
        if (outcome.error() != null) {
            Throwables.throwIfUnchecked(outcome.error());
            throw new IllegalStateException(outcome.error());
        }
        int iteration = progress.state().group(outcome.group()).iterations();
        Map<Integer, EndReason> failed =
                outcome.failed().stream().collect(Collectors.toMap(TrialRun::index, trial -> EndReason.FAILED));
        SortedMap<Integer, EndReason> ends = progress.finish(outcome.group(), failed);
        count(outcome, ends);
        times.finished(outcome);
        listener.stepCompleted(new StepEvent(
                outcome.group(),
                iteration,
                outcome.tokens().values().stream().mapToInt(count -> count).sum(),
                outcome.seconds(),
                outcome.losses(),
                tokensDone,
                tokensDone + tokensLeft(),
                times.secondsLeft()));
        outcome.epochs().forEach(listener::epochCompleted);
        ends.forEach((trial, reason) -> ending.add(new Ending(trials.get(trial), reason, checkpoints.written())));
        while (!ending.isEmpty() && ending.peek().written().isDone()) {
            end(ending.remove());
        }
        return outcome.group();
    }

    /** Waits for the files of trials that have ended and puts these on record. */
    private void endAll() {
        while (!ending.isEmpty()) {
            end(ending.remove());
        }
    }

    private void count(GroupOutcome outcome, SortedMap<Integer, EndReason> ends) {
        outcome.tokens().forEach((trial, count) -> {
            tokensDone += count;
            tokensLeft[trial.index()] -= count;
        });
        ends.keySet().forEach(trial -> tokensLeft[trial] = 0);
    }

    /** What iterations took; none if there were too few. */
    Optional<Calibration> calibration() {
        return times.calibration();
    }

    private void end(Ending ended) {
        BackgroundWriter.await(ended.written());
        TrialRun run = ended.trial();
        Trial trial = run.toTrial(ended.reason() == EndReason.FAILED ? Trial.Status.FAILED : Trial.Status.FINISHED);
        files.append(trial);
        checkpoints.removeRunning(run.config());
        this.ended.add(trial);
        String failure = trial.failure();
        if (failure != null) {
            listener.trialFailed(new FailureEvent(trial.id(), trial.steps() + 1, failure));
        }
        listener.trialEnded(trial);
    }

    private void saveIfPaused(TrialRun trial) {
        trial.snapshot().ifPresent(paused -> checkpoints.saveRunning(paused, trial.soFar()));
    }

    /** No iteration runs any more; what is left of the groups' stretches will not. */
    private void giveUpStretches() {
        progress.state().groups().stream()
                .filter(GroupState::isIterating)
                .map(GroupState::id)
                .toList()
                .forEach(progress::interrupt);
    }

    /** The sweep was cancelled, and what runs is saved: all that has not ended is reported as cancelled. */
    private void reportCancelled() {
        for (TrialRun run : trials) {
            if (progress.state().trial(run.index()).phase() != Phase.ENDED) {
                progress.end(run.index(), EndReason.CANCELLED);
                Trial trial = run.toTrial(Trial.Status.CANCELLED);
                ended.add(trial);
                listener.trialEnded(trial);
            }
        }
    }

    /** The sweep dies of an error: what other devices have in progress ends and is saved, for another run to go on from. */
    private void rescue(Throwable cause) {
        while (inFlight > 0) {
            attempt(cause, () -> settle(nextOutcome()));
        }
        attempt(cause, this::endAll);
        workers.forEach(worker -> attempt(cause, worker::saveMembers));
        trials.forEach(trial -> attempt(cause, () -> saveIfPaused(trial)));
        attempt(cause, () -> BackgroundWriter.await(checkpoints.written()));
    }

    private static void attempt(Throwable cause, Runnable work) {
        try {
            work.run();
        } catch (RuntimeException | Error e) {
            if (e != cause) {
                cause.addSuppressed(e);
            }
        }
    }
}
