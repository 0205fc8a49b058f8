package io.plora.plan;

import com.google.common.collect.ImmutableSortedMap;
import io.plora.cost.Calibration;
import io.plora.cost.GroupMemory;
import io.plora.cost.GroupTime;
import io.plora.cost.PartedTime;
import io.plora.plan.DecisionValidator.Draft;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/**
 * How far a sweep is: carries out decisions and the end of iterations on its bookkeeping. The planner and the executor step
 * through the same one; whoever runs it, each trial gets each sample of each epoch once, in batches that do not span epochs.
 *
 * <p>Not thread-safe.
 */
public final class SweepProgress {
    private final List<TrialCursor> cursors;
    private final List<SweepObserver> observers = new ArrayList<>();
    private final SweepState state;

    /** What time and memory of a trial depend on. */
    private record Kind(int rank, Set<TargetModule> modules, int batchSize) {
        static Kind of(LoraConfig config) {
            return new Kind(config.rank(), Set.copyOf(config.targetModules()), config.batchSize());
        }
    }

    private SweepProgress(Builder builder, SampleLengths lengths, GroupMemory memory) {
        LengthsReader reader = new LengthsReader(lengths);
        Map<Kind, Integer> kinds = new HashMap<>();
        cursors = new ArrayList<>();
        for (int trial = 0; trial < builder.configs.size(); trial++) {
            LoraConfig config = builder.configs.get(trial);
            int kind = kinds.computeIfAbsent(Kind.of(config), key -> kinds.size());
            long parameters = builder.parameters.applyAsLong(config);
            TrialCursor cursor =
                    new TrialCursor(new TrialState.Fixed(trial, config, parameters, builder.epochs, kind), reader);
            cursor.skip(builder.samplesDone.isEmpty() ? 0 : builder.samplesDone.get(trial));
            cursors.add(cursor);
        }
        List<TrialState> trials =
                cursors.stream().map(cursor -> cursor.state(Phase.WAITING)).toList();
        state = new SweepState(
                trials,
                builder.devices,
                builder.time,
                SweepState.Conditions.of(
                        memory, builder.tokenBudget, reader.first(), builder.longestEvaluated, trials));
    }

    public static Builder builder() {
        return new Builder();
    }

    /** From now on an observer sees what happens; what it throws, the method that caused it throws. */
    public void observe(SweepObserver observer) {
        observers.add(observer);
    }

    /** Where the sweep is now: a view that goes along. */
    public SweepState state() {
        return state;
    }

    /**
     * Asks a policy and begins what it decides.
     *
     * @throws IllegalArgumentException if the decision is impossible, or a trial can never run
     * @throws IllegalStateException if the sweep is not done and nothing would run
     */
    public Decision decide(PackingPolicy policy) {
        Decision decision = policy.decide(state);
        Collection<Draft> drafts = DecisionValidator.validate(state, decision);
        if (!state.isDone()
                && drafts.stream().allMatch(draft -> draft.stretch() == null)
                && state.groups().stream().noneMatch(GroupState::isIterating)) {
            throw new IllegalStateException(
                    "Policy (%s) lets nothing run, although (%d) trials have not ended: it decided (%s)."
                            .formatted(policy.name(), state.open(), decision.actions()));
        }
        decision.actions().forEach(this::begin);
        drafts.forEach(this::begin);
        observers.forEach(observer -> observer.decided(decision, state));
        return decision;
    }

    private void begin(Action action) {
        if (action instanceof Action.OpenGroup open) {
            state.opened(GroupState.open(open.group(), open.devices()));
        } else if (action instanceof Action.CloseGroup close) {
            state.close(state.group(close.group()));
        } else if (action instanceof Action.Join join) {
            state.join(join.trial(), join.group());
        } else if (action instanceof Action.Leave leave) {
            state.leave(leave.trial(), Phase.WAITING);
        }
    }

    private void begin(Draft draft) {
        if (!draft.isClosed()) {
            GroupState group = state.group(draft.id()).withMembers(draft.members());
            Stretch stretch = draft.stretch();
            state.set(stretch == null ? group : group.begin(stretch));
        }
    }

    /** One iteration is finished, see {@link #finish(int, int, Map)}. */
    public SortedMap<Integer, EndReason> finish(int group, Map<Integer, EndReason> ended) {
        return finish(group, 1, ended);
    }

    /**
     * Iterations are finished: their samples are done. Trials that have done all end, those named end for the reason named;
     * both leave the group. If any do, or it was the last of the stretch, the group is ready for a decision.
     *
     * @param iterations how many, at most as many as the group's stretch has left
     * @param ended members that end now, whatever they have done
     * @return all trials that ended, by index
     */
    public SortedMap<Integer, EndReason> finish(int group, int iterations, Map<Integer, EndReason> ended) {
        GroupState before = state.group(group);
        Stretch stretch = before.stretch();
        if (stretch == null) {
            throw new IllegalArgumentException("Group (%d) is in no iteration.".formatted(group));
        }
        require(
                iterations >= 1 && iterations <= stretch.repeat(),
                "Group (%d) cannot finish (%d) iterations, it has (%d) left.",
                group,
                iterations,
                stretch.repeat());
        ended.forEach((trial, reason) -> {
            requireReason(trial, reason);
            require(before.members().contains(trial), "Trial (%d) is no member of group (%d).", trial, group);
        });
        SortedMap<Integer, Integer> samples = advance(before, stretch, iterations);
        SortedMap<Integer, EndReason> reasons = new TreeMap<>(ended);
        samples.keySet().stream()
                .filter(trial -> cursors.get(trial).isAtEnd())
                .forEach(trial -> reasons.putIfAbsent(trial, EndReason.COMPLETED));
        boolean over = iterations == stretch.repeat() || !reasons.isEmpty();
        state.set(before.finish(iterations, over ? null : stretch.after(iterations)));
        observers.forEach(observer -> observer.finished(before, iterations, samples));
        reasons.forEach(this::leaveForGood);
        return ImmutableSortedMap.copyOf(reasons);
    }

    /** @return how many samples each trial did, where there are any */
    private SortedMap<Integer, Integer> advance(GroupState group, Stretch stretch, int iterations) {
        StretchWalk walk = new StretchWalk(state, group, stretch);
        for (int i = 0; i < iterations; i++) {
            walk.next();
        }
        SortedMap<Integer, Integer> samples = new TreeMap<>();
        walk.positions().forEach((trial, end) -> {
            int count = end - state.trial(trial).position();
            if (count > 0) {
                samples.put(trial, count);
                cursors.get(trial).advanceTo(end);
                state.set(cursors.get(trial).state(Phase.RUNNING));
            }
        });
        return samples;
    }

    /** Gives up what a group's stretch has left, if anything: the group is ready for a decision. */
    public void interrupt(int group) {
        GroupState running = state.group(group);
        state.set(running.finish(0, null));
    }

    /**
     * From now on the policy goes by corrected times.
     *
     * @param prior what the calibration corrects
     */
    public void calibrate(Calibration calibration, PartedTime prior) {
        state.setTime(calibration.apply(prior));
        observers.forEach(observer -> observer.calibrated(calibration));
    }

    /**
     * A device failed. A group that had it is gone, with what its members had done of their open batches; they wait again.
     *
     * @throws java.util.NoSuchElementException if there is no such device, or it has failed before
     */
    public void lose(int device) {
        state.device(device);
        state.groups().stream()
                .filter(group -> group.devices().contains(device))
                .findFirst()
                .ifPresent(group -> {
                    for (int member : group.members()) {
                        cursors.get(member).backToBatch();
                        state.set(cursors.get(member).state(Phase.RUNNING));
                        state.leave(member, Phase.WAITING);
                    }
                    state.close(group);
                });
        state.remove(device);
        observers.forEach(observer -> observer.lost(device));
    }

    /**
     * Ends a trial that waits, or whose group is between two iterations.
     *
     * @throws IllegalArgumentException if it is in an iteration: name it in {@link #finish}
     */
    public void end(int trial, EndReason reason) {
        requireReason(trial, reason);
        require(state.trial(trial).phase() != Phase.ENDED, "Trial (%d) has already ended.", trial);
        GroupState group = state.groupOf(trial);
        require(
                group == null || !group.isIterating(),
                "Trial (%d) is in an iteration; it can end when that is finished.",
                trial);
        leaveForGood(trial, reason);
    }

    private void leaveForGood(int trial, EndReason reason) {
        GroupState group = state.groupOf(trial);
        if (group != null) {
            state.set(group.withoutMember(trial));
        }
        state.leave(trial, Phase.ENDED);
        TrialState ended = state.trial(trial);
        observers.forEach(observer -> observer.ended(ended, reason));
    }

    private static void requireReason(int trial, EndReason reason) {
        require(reason != EndReason.COMPLETED, "Trial (%d) completes by itself, when all its samples are done.", trial);
    }

    private static void require(boolean valid, String message, Object... values) {
        if (!valid) {
            throw new IllegalArgumentException(message.formatted(values));
        }
    }

    /** Builds a {@link SweepProgress} in which nothing runs. Configurations, devices, lengths and memory must be set. */
    public static final class Builder {
        private List<LoraConfig> configs = List.of();
        private List<Long> samplesDone = List.of();
        private List<DeviceState> devices = List.of();
        private @Nullable SampleLengths lengths;
        private @Nullable GroupMemory memory;
        private int epochs = 1;
        private int longestEvaluated;
        private GroupTime time = (work, degree) -> work.tokens();
        private ToLongFunction<LoraConfig> parameters = config -> 0;
        private int tokenBudget = Integer.MAX_VALUE;

        private Builder() {}

        /** What the trials train; a trial's index is its position here. */
        public Builder withConfigs(List<LoraConfig> configs) {
            this.configs = List.copyOf(configs);
            return this;
        }

        /** Samples that each trial has done already, all of them in whole batches; none if this is not called. */
        public Builder withSamplesDone(List<Long> samplesDone) {
            this.samplesDone = List.copyOf(samplesDone);
            return this;
        }

        public Builder withDevices(List<DeviceState> devices) {
            this.devices = List.copyOf(devices);
            return this;
        }

        public Builder withLengths(SampleLengths lengths) {
            this.lengths = lengths;
            return this;
        }

        /** Length of the longest sequence that members are evaluated on, for which a group keeps room too. */
        public Builder withLongestEvaluated(int tokens) {
            this.longestEvaluated = tokens;
            return this;
        }

        public Builder withMemory(GroupMemory memory) {
            this.memory = memory;
            return this;
        }

        /**
         * How long iterations take; a second a token if this is not called.
         *
         * @param parameters of the adapter of a configuration
         */
        public Builder withTime(GroupTime time, ToLongFunction<LoraConfig> parameters) {
            this.time = time;
            this.parameters = parameters;
            return this;
        }

        /** Passes over the samples, 1 if this is not called. */
        public Builder withEpochs(int epochs) {
            this.epochs = epochs;
            return this;
        }

        /** Most tokens of an iteration, unless it is a single sample; no limit but memory if this is not called. */
        public Builder withTokenBudget(int tokenBudget) {
            this.tokenBudget = tokenBudget;
            return this;
        }

        public SweepProgress build() {
            require(!configs.isEmpty(), "A sweep needs at least one configuration.");
            require(!devices.isEmpty(), "A sweep needs at least one device.");
            require(
                    devices.stream().map(DeviceState::index).distinct().count() == devices.size(),
                    "A device is named twice (%s).",
                    devices);
            require(
                    samplesDone.isEmpty() || samplesDone.size() == configs.size(),
                    "Samples done are given for (%d) trials, not for all (%d).",
                    samplesDone.size(),
                    configs.size());
            require(epochs >= 1, "Epochs (%d) must be at least 1.", epochs);
            require(tokenBudget >= 1, "Token budget (%d) must be at least 1.", tokenBudget);
            return new SweepProgress(
                    this, Objects.requireNonNull(lengths, "lengths"), Objects.requireNonNull(memory, "memory"));
        }
    }
}
