package io.plora.execute;

import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.SweepStart;
import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.cost.Calibration;
import io.plora.plan.Feasibility;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SweepProgress;
import io.plora.report.TrialFiles;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a sweep: asks the policy, lets the devices work, records what ends. A trial is on record as soon as its adapters are on
 * disk, while others train, and a sweep that was cancelled or died goes on where it was when it is run again with the same
 * output folder.
 *
 * <p>One instance runs once.
 */
public final class SweepExecutor {
    private static final Logger LOGGER = LoggerFactory.getLogger(SweepExecutor.class);

    private final SweepSpec spec;
    private final SweepListener listener;
    private final List<Trial> ended = new ArrayList<>();
    private final AtomicBoolean cancelled = new AtomicBoolean();

    /** Devices count with the memory that they have now. */
    public SweepExecutor(SweepSpec spec, SweepListener listener) {
        this.spec = spec.now();
        this.listener = listener;
    }

    /** Lets iterations in progress end, saves what runs, and ends the sweep; another run goes on from there. */
    public void cancel() {
        cancelled.set(true);
    }

    /**
     * Runs the sweep to its end. An interrupt of this thread cancels the sweep, as {@link #cancel} does, and stays set.
     *
     * @throws IllegalArgumentException if something about the sweep is wrong, naming it; the output folder is not touched
     * @throws IllegalStateException if a device failed; trials that ended are on record, and another run goes on from what was
     *     saved last
     */
    public SweepResult run() {
        long start = System.nanoTime();
        PeftAdapter initial = initialAdapter();
        requireEachFits();
        try (SweepFolder folder = SweepFolder.open(spec, initial)) {
            double earlier = folder.seconds();
            try {
                run(folder, initial);
            } catch (RuntimeException | Error e) {
                listener.sweepFailed(e);
                throw e;
            } finally {
                boolean interrupted = Thread.interrupted(); // set, it would close the file that is written
                folder.setSeconds(earlier + (System.nanoTime() - start) / 1e9);
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
            SweepResult result = new SweepResult(ended, spec.metric(), folder.path(), folder.seconds());
            listener.sweepEnded(result);
            return result;
        }
    }

    private @Nullable PeftAdapter initialAdapter() {
        Path path = spec.initialAdapter();
        if (path == null) {
            return null;
        }
        PeftAdapter adapter = PeftAdapter.load(path);
        try {
            adapter.requireFits(spec.base().config());
            spec.configs().forEach(adapter::requireFits);
            return adapter;
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("Initial adapter (%s): %s".formatted(path, e.getMessage()), e);
        }
    }

    /** Before the output folder is touched: no half-begun sweep is left there. */
    private void requireEachFits() {
        Set<String> onRecord =
                TrialFiles.read(spec.output()).stream().map(Trial::id).collect(Collectors.toSet());
        List<LoraConfig> open = spec.configs().stream()
                .filter(config -> !onRecord.contains(config.id()))
                .toList();
        if (!open.isEmpty()) {
            Feasibility.requireEachFitsAlone(spec.progress(open, List.of()).state());
        }
    }

    private void run(SweepFolder folder, @Nullable PeftAdapter initial) {
        try (BackgroundWriter writer = new BackgroundWriter()) {
            run(folder, initial, new CheckpointPool(folder, spec.base(), writer));
        }
    }

    private void run(SweepFolder folder, @Nullable PeftAdapter initial, CheckpointPool checkpoints) {
        List<TrialRun> trials = open(folder, checkpoints);
        if (trials.isEmpty()) {
            LOGGER.info("All trials of {} have ended already.", folder.path());
            listener.sweepStarted(new SweepStart(List.of(), spec.deviceNames(), 0, 0, spec.metric(), folder.path()));
            return;
        }
        List<DeviceWorker> workers = spec.devices().stream()
                .map(device -> new DeviceWorker(spec, device, checkpoints, initial))
                .toList();
        List<LoraConfig> configs = trials.stream().map(TrialRun::config).toList();
        try (Journal journal =
                Journal.create(folder.nextJournal(), spec.policy().name(), configs)) {
            TrialFiles files = TrialFiles.open(folder.path());
            SweepProgress progress = progress(trials);
            progress.observe(journal);
            if (spec.calibration() != null) {
                progress.calibrate(spec.calibration(), spec.time());
            }
            SweepRun run =
                    new SweepRun(spec, listener, progress, trials, workers, checkpoints, files, ended, cancelled);
            listener.sweepStarted(run.start());
            tellPlan(trials, progress);
            run.toEnd();
            run.calibration().ifPresent(calibration -> save(calibration, folder));
        } finally {
            workers.forEach(DeviceWorker::close);
        }
    }

    private static void save(Calibration calibration, SweepFolder folder) {
        calibration.save(folder.calibration());
        LOGGER.info(
                "Calibrated by {} iterations: predicted times of others are {}% off in the mean.",
                calibration.rows(), String.format(Locale.ROOT, "%.1f", 100 * calibration.heldOutError()));
    }

    /** Works the plan out on bookkeeping of its own; not for long sweeps, nor with a policy that can run only once. */
    private void tellPlan(List<TrialRun> trials, SweepProgress progress) {
        if (Forecast.isPossible(spec, progress.state())) {
            listener.sweepPlanned(
                    PlanSimulator.simulate(spec.policy(), progress(trials)).toText());
        }
    }

    private SweepProgress progress(List<TrialRun> trials) {
        return spec.progress(
                trials.stream().map(TrialRun::config).toList(),
                trials.stream().map(TrialRun::samplesDone).toList());
    }

    /** The trials that have not ended in an earlier run; those that have go to the result. */
    private List<TrialRun> open(SweepFolder folder, CheckpointPool checkpoints) {
        Map<String, Trial> onRecord =
                TrialFiles.read(folder.path()).stream().collect(Collectors.toMap(Trial::id, trial -> trial));
        List<TrialRun> trials = new ArrayList<>();
        for (LoraConfig config : spec.configs()) {
            Trial trial = onRecord.get(config.id());
            if (trial != null) {
                ended.add(trial);
                continue;
            }
            TrialRun run = new TrialRun(trials.size(), config);
            checkpoints
                    .findRunning(config)
                    .ifPresent(saved -> run.restore(
                            saved.soFar(), saved.samplesDone(spec.training().size()), checkpoints.best(config)));
            trials.add(run);
        }
        if (!ended.isEmpty()) {
            LOGGER.info(
                    "{} of {} trials are on record in {}.",
                    ended.size(),
                    spec.configs().size(),
                    folder.path());
        }
        return trials;
    }
}
