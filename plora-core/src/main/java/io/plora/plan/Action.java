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

    /** A waiting trial becomes a member, from where it was when it left. */
    record Join(int group, int trial) implements Action {}

    /** A member waits again; its state is kept. A trial that has ended leaves by itself. */
    record Leave(int group, int trial) implements Action {}

    /** Frees the devices of a group without members. */
    record CloseGroup(int group) implements Action {}

    /**
     * One pass of the base model, forward and backward; a member whose batch completes takes its optimizer step.
     *
     * @param samples how many samples of each trial, at least one, at most what its open batch lacks; a member that is not
     *     named sits this one out
     */
    record Iterate(int group, SortedMap<Integer, Integer> samples) implements Action {
        public Iterate {
            samples = ImmutableSortedMap.copyOf(samples);
        }
    }
}
