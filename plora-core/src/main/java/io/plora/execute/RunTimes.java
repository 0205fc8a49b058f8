package io.plora.execute;

import io.plora.cost.Calibration;
import io.plora.cost.GroupWork;
import io.plora.plan.SweepProgress;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;

/** What iterations of a run take, and what follows from it: a calibration, the time left, the times that the policy goes by. */
final class RunTimes {
    private final SweepSpec spec;
    private final SweepProgress progress;
    private final MeasuredIterations measured;
    private final Forecast forecast;
    private final Map<Integer, GroupWork> workOfGroup = new HashMap<>(); // in progress
    private long firstOutcome; // on the clock of System.nanoTime
    private double trainingSeconds; // of all devices, after the first outcome

    RunTimes(SweepSpec spec, SweepProgress progress) {
        this.spec = spec;
        this.progress = progress;
        measured = new MeasuredIterations(spec.time(), spec.devices().get(0).stepsLater());
        forecast = new Forecast(spec);
    }

    /** A group begins an iteration. */
    void begun(int group, SortedMap<TrialRun, Integer> samples) {
        GroupWork work = samples.entrySet().stream()
                .map(entry -> progress.state().trial(entry.getKey().index()).work(entry.getValue()))
                .reduce(GroupWork.NONE, GroupWork::plus);
        workOfGroup.put(group, work);
    }

    /** The iteration is over, the progress goes on from its end. */
    void finished(GroupOutcome outcome) {
        if (firstOutcome == 0) {
            firstOutcome = System.nanoTime();
        } else {
            trainingSeconds += outcome.seconds();
        }
        measured.add(outcome.group(), workOfGroup.get(outcome.group()), outcome.seconds());
        measured.fitIfDue().ifPresent(this::use);
    }

    private void use(Calibration calibration) {
        if (spec.measuredTimes()) {
            progress.calibrate(calibration, spec.time());
        }
        double seconds = (System.nanoTime() - firstOutcome) / 1e9;
        double secondsOfSecond = seconds * spec.devices().size() / trainingSeconds;
        forecast.update(progress.state(), calibration, Math.max(1, secondsOfSecond));
    }

    /** Until the end of the run; NaN where that is not known. */
    double secondsLeft() {
        return forecast.secondsLeft();
    }

    /** None if there were too few iterations. */
    Optional<Calibration> calibration() {
        return measured.fit();
    }
}
