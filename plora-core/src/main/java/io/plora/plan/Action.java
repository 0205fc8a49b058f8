package io.plora.plan;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSortedMap;
import java.util.List;
import java.util.SortedMap;

/** One thing to do at an iteration boundary. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "action")
@JsonSubTypes({
    @JsonSubTypes.Type(value = Action.OpenGroup.class, name = "open"),
    @JsonSubTypes.Type(value = Action.Join.class, name = "join"),
    @JsonSubTypes.Type(value = Action.Leave.class, name = "leave"),
    @JsonSubTypes.Type(value = Action.CloseGroup.class, name = "close"),
    @JsonSubTypes.Type(value = Action.Iterate.class, name = "iterate")
})
public sealed interface Action {

    /** Id of the group that it concerns. */
    int group();

    /**
     * Loads the base model for a new group.
     *
     * @param group the state's next group id
     * @param devices indices of free devices
     */
    record OpenGroup(int group, List<Integer> devices) implements Action {
        public OpenGroup {
            devices = ImmutableList.copyOf(devices);
        }
    }

    /**
     * A waiting trial becomes a member, from where it was when it left. The group must be able to run its longest sample, so that
     * it can go on whatever comes.
     */
    record Join(int group, int trial) implements Action {}

    /** A member waits again; its state is kept. A trial that has ended leaves by itself. */
    record Leave(int group, int trial) implements Action {}

    /** Frees the devices of a group without members. */
    record CloseGroup(int group) implements Action {}

    /**
     * Passes of the base model, forward and backward; a member whose batch completes takes its optimizer step.
     *
     * @param samples how many samples of each trial an iteration takes, at least one, at most its batch; where the open batch
     *     lacks fewer, the iteration takes those, so that a batch is split into equal parts and a rest. A member that is not named
     *     sits the iterations out
     * @param repeat most iterations of this kind before the policy is asked again, at least one. None of them may exceed memory
     *     or token budget, and no named member may end its epoch before the last of them. Whoever carries it out may ask the
     *     policy after any of them
     * @param filled whether {@code samples} are the most that an iteration takes, and it takes fewer where they do not fit: the
     *     trials with the smallest batches first, sample by sample, as many as memory and token budget hold
     */
    record Iterate(int group, SortedMap<Integer, Integer> samples, int repeat, boolean filled) implements Action {
        public Iterate {
            samples = ImmutableSortedMap.copyOf(samples);
        }

        /** Iterations of exactly these samples. */
        public Iterate(int group, SortedMap<Integer, Integer> samples, int repeat) {
            this(group, samples, repeat, false);
        }

        /** A single iteration. */
        public Iterate(int group, SortedMap<Integer, Integer> samples) {
            this(group, samples, 1);
        }
    }
}
