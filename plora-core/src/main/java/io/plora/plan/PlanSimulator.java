package io.plora.plan;

import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Runs a policy to the end of a sweep without training: what would happen if time were tokens, the same on every device, and
 * no trial failed or stopped early.
 */
public final class PlanSimulator {
    private final PackingPolicy policy;
    private final SweepProgress progress;
    /** When each group finishes the iteration in progress, in tokens since the start. */
    private final Map<Integer, Long> ends = new HashMap<>();

    private long now;

    private PlanSimulator(PackingPolicy policy, SweepProgress progress) {
        this.policy = policy;
        this.progress = progress;
    }

    /**
     * Runs a sweep from where it is to its end.
     *
     * @param progress no iteration in progress; done afterwards
     * @throws IllegalArgumentException if the policy decides the impossible, or a trial can never run
     */
    public static SweepPlan simulate(PackingPolicy policy, SweepProgress progress) {
        PlanRecorder recorder = new PlanRecorder();
        progress.observe(recorder);
        new PlanSimulator(policy, progress).run();
        return recorder.plan(policy.name());
    }

    private void run() {
        while (!progress.state().isDone()) {
            for (Action action : progress.decide(policy).actions()) {
                if (action instanceof Action.Iterate iterate) {
                    GroupState group = progress.state().group(iterate.group());
                    ends.put(
                            group.id(),
                            now + GroupLoad.of(progress.state(), group).tokens());
                }
            }
            finishNext();
        }
    }

    private void finishNext() {
        int next = Collections.min(
                ends.keySet(),
                Comparator.<Integer>comparingLong(group -> Objects.requireNonNull(ends.get(group)))
                        .thenComparingInt(group -> group));
        now = Objects.requireNonNull(ends.remove(next));
        progress.finish(next, Map.of());
    }
}
