package io.plora.plan;

import io.plora.plan.SweepPlan.GroupPlan;
import io.plora.plan.SweepPlan.MemberPlan;
import io.plora.plan.SweepPlan.PhasePlan;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;

/** What a {@link PlanRecorder} notes of a group. */
final class GroupRecord {
    private final int id;
    private final List<Integer> devices;
    private final double start;
    private final Map<Integer, Stay> present = new HashMap<>();
    private final List<MemberPlan> stays = new ArrayList<>();
    private final List<PhasePlan> phases = new ArrayList<>();
    private double begun;
    private double end;
    private int iterations;
    private double tokens;
    private long largestIteration;
    private long largestMemory;

    /** A trial's time in the group. */
    private static final class Stay {
        private final int trial;
        private final String config;
        private final double joined;
        private int first = -1;
        private int last = -1;
        private long samples;

        Stay(int trial, String config, double joined) {
            this.trial = trial;
            this.config = config;
            this.joined = joined;
        }

        MemberPlan until(double left) {
            return new MemberPlan(trial, config, joined, left, first, last, samples);
        }
    }

    GroupRecord(int id, List<Integer> devices, double start) {
        this.id = id;
        this.devices = devices;
        this.start = start;
        end = start;
    }

    boolean has(int device) {
        return devices.contains(device);
    }

    void join(TrialState trial, double now) {
        present.put(trial.index(), new Stay(trial.index(), trial.config().id(), now));
    }

    void leave(int trial, double now) {
        Stay stay = present.remove(trial);
        if (stay != null) {
            stays.add(stay.until(now));
        }
    }

    void begin(double now) {
        begun = now;
    }

    void close(double now) {
        List.copyOf(present.keySet()).forEach(trial -> leave(trial, now));
        end = now;
    }

    void finish(GroupState group, int count, SortedMap<Integer, Integer> samples, double now) {
        Stretch stretch = Objects.requireNonNull(group.stretch());
        samples.forEach((trial, done) -> {
            Stay stay = Objects.requireNonNull(present.get(trial));
            stay.first = stay.first < 0 ? iterations : stay.first;
            stay.last = iterations + count - 1;
            stay.samples += done;
        });
        addPhase(new PhasePlan(
                begun,
                now,
                List.copyOf(stretch.samples().keySet()),
                count,
                stretch.work().tokens(),
                stretch.mostBytes()));
        iterations += count;
        tokens += stretch.work().tokens() * count;
        largestIteration = Math.max(largestIteration, stretch.mostTokens());
        largestMemory = Math.max(largestMemory, stretch.mostBytes());
        begun = now;
        end = now;
    }

    private void addPhase(PhasePlan phase) {
        @Nullable PhasePlan before = phases.isEmpty() ? null : phases.get(phases.size() - 1);
        if (before != null && before.members().equals(phase.members()) && before.end() == phase.start()) {
            phases.set(phases.size() - 1, before.and(phase));
        } else {
            phases.add(phase);
        }
    }

    GroupPlan plan(double now) {
        List<MemberPlan> members = new ArrayList<>(stays);
        present.values().forEach(stay -> members.add(stay.until(now)));
        members.sort(Comparator.comparingDouble(MemberPlan::joined).thenComparingInt(MemberPlan::trial));
        return new GroupPlan(
                id,
                devices,
                start,
                end,
                members,
                phases,
                iterations,
                Math.round(tokens),
                largestIteration,
                largestMemory);
    }
}
