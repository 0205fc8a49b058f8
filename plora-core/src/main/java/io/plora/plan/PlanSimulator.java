package io.plora.plan;

import com.google.common.collect.ImmutableList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.PriorityQueue;

/**
 * Runs a policy to the end of a sweep without training: iterations last as long as the state's {@link
 * io.plora.cost.GroupTime} says, or otherwise as {@link Disturbances} say.
 */
public final class PlanSimulator {
    private static final int MANY_GROUPS = 4;

    private final PackingPolicy policy;
    private final SweepProgress progress;
    private final SweepState state;
    private final Disturbances disturbances;
    private final Map<Integer, Running> running = new HashMap<>();
    private final PriorityQueue<Event> events =
            new PriorityQueue<>(Comparator.comparingDouble(Event::time).thenComparingInt(Event::group));
    private double now;
    private int begun;
    private int decisions;

    /**
     * Iterations of a group in progress.
     *
     * @param number of the stretch, in the order in which they begin
     * @param start when the first of those not yet finished began, in seconds
     * @param seconds of one
     * @param left until something happens
     */
    private record Running(int number, double start, double seconds, int left) {
        double end() {
            return start + left * seconds;
        }

        /** Iterations that are done at a time, without the last one. */
        int doneAt(double time) {
            return (int) Math.min(left - 1.0, Math.floor((time - start) / seconds));
        }

        Running after(int done) {
            return new Running(number, start + done * seconds, seconds, left - done);
        }
    }

    /**
     * Something to come: a stretch of a group ends, or a device fails.
     *
     * @param group -1 for a device
     * @param number of the stretch or the device
     */
    private record Event(double time, int group, int number) {}

    private PlanSimulator(PackingPolicy policy, SweepProgress progress, Disturbances disturbances) {
        this.policy = policy;
        this.progress = progress;
        this.disturbances = disturbances;
        state = progress.state();
    }

    /**
     * Runs a sweep from where it is to its end, exactly as predicted.
     *
     * @param progress no iteration in progress; done afterwards
     * @throws IllegalArgumentException if the policy decides the impossible, or a trial can never run
     */
    public static SweepPlan simulate(PackingPolicy policy, SweepProgress progress) {
        return simulate(policy, progress, Disturbances.NONE);
    }

    /** Like {@link #simulate(PackingPolicy, SweepProgress)}, with what may go wrong. */
    public static SweepPlan simulate(PackingPolicy policy, SweepProgress progress, Disturbances disturbances) {
        long start = System.nanoTime();
        LowerBound bound = LowerBound.of(progress.state());
        PlanSimulator simulator = new PlanSimulator(policy, progress, disturbances);
        PlanRecorder recorder = new PlanRecorder(() -> simulator.now);
        progress.observe(recorder);
        simulator.run();
        return recorder.plan(policy.name(), bound, (System.nanoTime() - start) / 1e6);
    }

    private void run() {
        disturbances.deviceFailures().forEach((device, time) -> events.add(new Event(time, -1, device)));
        while (!state.isDone()) {
            catchUp();
            progress.decide(policy).actions().forEach(this::begin);
            next();
        }
    }

    private void begin(Action action) {
        if (action instanceof Action.Iterate) {
            GroupState group = state.group(action.group());
            begin(group, Objects.requireNonNull(group.stretch()));
        }
    }

    private void begin(GroupState group, Stretch stretch) {
        double seconds = disturbances.seconds(state, group, stretch);
        Running started = new Running(begun, now, seconds, disturbances.untilStop(state, group, stretch));
        running.put(group.id(), started);
        events.add(new Event(started.end(), group.id(), begun));
        begun++;
    }

    /**
     * Lets the bookkeeping know what is done by now, near the end, where policies compare groups; with many groups not each
     * time.
     */
    private void catchUp() {
        decisions++;
        if (!state.isNearEnd() || decisions % (1 + state.groups().size() / MANY_GROUPS) != 0) {
            return;
        }
        running.replaceAll((group, stretch) -> finishUntilNow(group, stretch));
    }

    private Running finishUntilNow(int group, Running stretch) {
        int done = stretch.doneAt(now);
        if (done < 1) {
            return stretch;
        }
        progress.finish(group, done, Map.of());
        return stretch.after(done);
    }

    private void next() {
        Event event = events.remove();
        now = Math.max(now, event.time());
        if (event.group() < 0) {
            lose(event.number());
            return;
        }
        Running stretch = running.get(event.group());
        if (stretch != null && stretch.number() == event.number()) {
            running.remove(event.group());
            finish(state.group(event.group()), stretch.left());
        }
    }

    private void finish(GroupState group, int iterations) {
        Stretch stretch = Objects.requireNonNull(group.stretch());
        progress.finish(group.id(), iterations, disturbances.stops(state, group, stretch, iterations));
    }

    private void lose(int device) {
        for (GroupState group : ImmutableList.copyOf(state.groups())) {
            Running stretch = running.get(group.id());
            if (stretch != null && group.devices().contains(device)) {
                finishUntilNow(group.id(), stretch);
                running.remove(group.id());
            }
        }
        progress.lose(device);
        if (state.devices().isEmpty() && !state.isDone()) {
            throw new IllegalStateException(
                    "All devices failed, the last one after (%.0f) seconds; (%d) trials have not ended."
                            .formatted(now, state.open()));
        }
    }
}
