package io.plora.execute;

import io.plora.cost.Calibration;
import io.plora.plan.PlanSimulator;
import io.plora.plan.SweepState;
import io.plora.plan.TrialState;
import java.util.Comparator;
import java.util.List;

/** How long a run is still going to take: what is left is planned again whenever its iterations have been measured anew. */
final class Forecast {
    /** Optimizer steps up to which a plan is worked out: it takes a second at most. */
    private static final long PLANNED_STEPS = 10_000;

    private final SweepSpec spec;
    private double seconds = Double.NaN;
    private long since;

    Forecast(SweepSpec spec) {
        this.spec = spec;
    }

    /** Whether a plan of what is left takes little time; a policy that can run only once has none. */
    static boolean isPossible(SweepSpec spec, SweepState state) {
        long steps =
                state.unfinished().stream().mapToLong(TrialState::stepsLeft).sum();
        return steps > 0 && steps <= PLANNED_STEPS && !(spec.policy() instanceof ReplayPolicy);
    }

    /**
     * Plans what is left.
     *
     * @param secondsOfSecond wall time in which devices train for a second: evaluating and saving take the rest
     */
    void update(SweepState state, Calibration calibration, double secondsOfSecond) {
        if (!isPossible(spec, state)) {
            return;
        }
        List<TrialState> left = state.unfinished().stream()
                .sorted(Comparator.comparingInt(TrialState::index))
                .toList();
        List<Long> done =
                left.stream().map(trial -> wholeBatches(trial, state.samples())).toList();
        seconds = secondsOfSecond
                * PlanSimulator.simulate(
                                spec.policy(),
                                spec.progress(
                                        left.stream().map(TrialState::config).toList(),
                                        done,
                                        calibration.apply(spec.time())))
                        .makespan();
        since = System.nanoTime();
    }

    private static long wholeBatches(TrialState trial, int samples) {
        long done = trial.samplesDone();
        return done - done % samples % trial.config().batchSize();
    }

    /** Not below 0; NaN if it is not known. */
    double secondsLeft() {
        return Math.max(0, seconds - (System.nanoTime() - since) / 1e9);
    }
}
