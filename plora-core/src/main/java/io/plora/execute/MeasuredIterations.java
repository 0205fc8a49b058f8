package io.plora.execute;

import io.plora.cost.Calibration;
import io.plora.cost.GroupWork;
import io.plora.cost.MeasuredIteration;
import io.plora.cost.PartedTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What iterations of a run took. Of many it keeps some, evenly over the run, so that a calibration is fitted at once.
 * The first ones are left out: the JVM still compiles what they run. Later ones that are slow because a library loads kernels for a
 * shape that is new, a pass is recorded or a member joins are as good as left out by the fit (see {@link Calibration#fit}).
 */
final class MeasuredIterations {
    static final int LEFT_OUT = 10;
    static final int FEWEST = 10;
    private static final int MOST = 100;

    private final PartedTime prior;
    private final boolean stepsLater;
    private final Map<Integer, Double> steppedBefore = new HashMap<>(); // parameters, in each group's iteration before
    private final List<MeasuredIteration> kept = new ArrayList<>();
    private long seen = -LEFT_OUT;
    private long stride = 1;
    private long nextFit = FEWEST;

    /**
     * None yet.
     *
     * @param prior what is corrected
     * @param stepsLater see {@link ComputeDevice#stepsLater}
     */
    MeasuredIterations(PartedTime prior, boolean stepsLater) {
        this.prior = prior;
        this.stepsLater = stepsLater;
    }

    /** The next iteration of a group. */
    void add(int group, GroupWork work, double seconds) {
        GroupWork within = within(group, work);
        if (seen >= 0 && seen % stride == 0 && seconds > 0) {
            kept.add(new MeasuredIteration(within, 1, seconds));
        }
        seen++;
        if (kept.size() > MOST) {
            stride *= 2;
            thin();
        }
    }

    /** What the seconds of an iteration were spent on. */
    private GroupWork within(int group, GroupWork work) {
        Double before = steppedBefore.put(group, work.steppedParameters());
        return stepsLater ? work.withSteppedParameters(before == null ? 0 : before) : work;
    }

    private void thin() {
        for (int i = kept.size() - 1; i > 0; i--) {
            if (i % 2 == 1) {
                kept.remove(i);
            }
        }
    }

    /** A calibration whenever there are twice as many iterations as for the one before, the first time ten. */
    Optional<Calibration> fitIfDue() {
        if (seen < nextFit) {
            return Optional.empty();
        }
        nextFit = 2 * seen;
        return fit();
    }

    /** A calibration by all that is kept; none if that is less than ten iterations. */
    Optional<Calibration> fit() {
        return kept.size() < FEWEST ? Optional.empty() : Optional.of(Calibration.fit(kept, prior));
    }
}
