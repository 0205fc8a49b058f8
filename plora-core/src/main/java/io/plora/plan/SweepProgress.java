package io.plora.plan;

import com.google.common.collect.ImmutableSortedMap;
import com.google.common.collect.Maps;
import io.plora.cost.GroupMemory;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
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
    private SweepState state;

    private SweepProgress(Builder builder, SampleLengths lengths, GroupMemory memory) {
        int[] first = lengths.lengths(0, 0);
        if (first.length == 0) {
            throw new IllegalArgumentException("There is no training sample.");
        }
        int longest = IntStream.of(first).max().getAsInt();
        cursors = new ArrayList<>();
        for (int trial = 0; trial < builder.configs.size(); trial++) {
            LoraConfig config = builder.configs.get(trial);
            TrialCursor cursor = new TrialCursor(trial, config, builder.epochs, first.length, longest, lengths);
            cursor.skip(builder.samplesDone.isEmpty() ? 0 : builder.samplesDone.get(trial));
            cursors.add(cursor);
        }
        state = new SweepState(
                cursors.stream().map(cursor -> cursor.state(Phase.WAITING)).toList(),
                List.of(),
                builder.devices,
                builder.tokenBudget,
                Math.max(longest, builder.longestEvaluated),
                0,
                memory);
    }

    public static Builder builder() {
        return new Builder();
    }

    /** From now on an observer sees what happens; what it throws, the method that caused it throws. */
    public void observe(SweepObserver observer) {
        observers.add(observer);
    }

    /** Where the sweep is now. */
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
        SweepState after = DecisionValidator.validate(state, decision);
        if (!after.isDone() && after.groups().stream().noneMatch(GroupState::isIterating)) {
            throw new IllegalStateException(
                    "Policy (%s) lets nothing run, although (%d) trials have not ended: it decided (%s)."
                            .formatted(
                                    policy.name(),
                                    after.trials().stream()
                                            .filter(trial -> trial.phase() != Phase.ENDED)
                                            .count(),
                                    decision.actions()));
        }
        observers.forEach(observer -> observer.decided(decision, after));
        state = after;
        return decision;
    }

    /**
     * An iteration is finished: its samples are done. Trials that have done all end, those named end for the reason named;
     * both leave the group.
     *
     * @param ended members that end now, whatever they have done
     * @return all trials that ended, by index
     */
    public SortedMap<Integer, EndReason> finish(int group, Map<Integer, EndReason> ended) {
        GroupState before = state.group(group);
        require(before.isIterating(), "Group (%d) is in no iteration.", group);
        ended.forEach((trial, reason) -> {
            requireReason(trial, reason);
            require(before.members().contains(trial), "Trial (%d) is no member of group (%d).", trial, group);
        });
        observers.forEach(observer -> observer.finished(before));
        before.iteration().forEach((trial, count) -> cursors.get(trial).advance(count));
        SortedMap<Integer, EndReason> reasons = new TreeMap<>(ended);
        before.members().stream()
                .filter(trial -> cursors.get(trial).isAtEnd())
                .forEach(trial -> reasons.putIfAbsent(trial, EndReason.COMPLETED));
        state = state.with(before.finish())
                .withTrials(
                        Maps.toMap(before.members(), trial -> cursors.get(trial).state(Phase.RUNNING)));
        reasons.forEach(this::leaveForGood);
        return ImmutableSortedMap.copyOf(reasons);
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
            state = state.with(group.withoutMember(trial));
        }
        TrialState ended = state.trial(trial).withPhase(Phase.ENDED);
        state = state.with(ended);
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

    /** Builds a {@link SweepProgress} in which nothing runs. All but epochs (1), samples done (0) and evaluation (none) must be set. */
    public static final class Builder {
        private List<LoraConfig> configs = List.of();
        private List<Long> samplesDone = List.of();
        private List<DeviceState> devices = List.of();
        private @Nullable SampleLengths lengths;
        private @Nullable GroupMemory memory;
        private int epochs = 1;
        private int longestEvaluated;
        private int tokenBudget;

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

        public Builder withEpochs(int epochs) {
            this.epochs = epochs;
            return this;
        }

        /** Most tokens of an iteration, unless it is a single sample. */
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
