package io.plora.execute;

import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.plan.SweepProgress;
import io.plora.report.TrialFiles;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a sweep: asks the policy, lets the devices work, records what ends. A trial is on disk the moment it ends, and a sweep
 * that was cancelled or died goes on where it was when it is run again with the same output folder.
 */
public final class SweepExecutor {
    private static final Logger LOGGER = LoggerFactory.getLogger(SweepExecutor.class);

    private final SweepSpec spec;
    private final SweepListener listener;
    private final List<Trial> ended = new ArrayList<>();
    private volatile boolean cancelled;

    public SweepExecutor(SweepSpec spec, SweepListener listener) {
        this.spec = spec;
        this.listener = listener;
    }

    /** Lets iterations in progress end, saves what runs, and ends the sweep; another run goes on from there. */
    public void cancel() {
        cancelled = true;
    }

    /**
     * Runs the sweep to its end.
     *
     * @throws IllegalArgumentException if something about the sweep is wrong, naming it
     * @throws IllegalStateException if a device failed; trials that ended are on record
     */
    public SweepResult run() {
        long start = System.nanoTime();
        try (SweepFolder folder = SweepFolder.open(spec)) {
            double earlier = folder.seconds();
            Path path = folder.path();
            try {
                run(folder);
            } finally {
                folder.setSeconds(earlier + (System.nanoTime() - start) / 1e9);
            }
            SweepResult result = new SweepResult(ended, spec.metric(), path, folder.seconds());
            listener.sweepEnded(result);
            return result;
        } catch (RuntimeException | Error e) {
            listener.sweepFailed(e);
            throw e;
        }
    }

    private void run(SweepFolder folder) {
        CheckpointPool checkpoints =
                new CheckpointPool(folder, spec.base().folder().toString());
        List<TrialRun> trials = open(folder, checkpoints);
        if (trials.isEmpty()) {
            LOGGER.info("All trials of {} have ended already.", folder.path());
            return;
        }
        SweepProgress progress = progress(trials);
        Path initialPath = spec.initialAdapter();
        PeftAdapter initial = initialPath == null ? null : PeftAdapter.load(initialPath);
        List<DeviceWorker> workers = spec.devices().stream()
                .map(device -> new DeviceWorker(spec, device, checkpoints, initial))
                .toList();
        List<LoraConfig> configs = trials.stream().map(TrialRun::config).toList();
        try (Journal journal =
                Journal.create(folder.nextJournal(), spec.policy().name(), configs)) {
            TrialFiles files = TrialFiles.open(folder.path());
            progress.observe(journal);
            new SweepRun(spec, listener, progress, trials, workers, checkpoints, files, ended, () -> cancelled).toEnd();
        } finally {
            workers.forEach(DeviceWorker::close);
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
                            saved.soFar(), saved.samplesDone(spec.training().size())));
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
