package io.plora.execute;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSortedMap;
import io.plora.plan.Action;
import io.plora.plan.EndReason;
import java.util.List;
import java.util.SortedMap;

/** A line of a {@link Journal}. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "event")
@JsonSubTypes({
    @JsonSubTypes.Type(value = JournalEntry.Started.class, name = "started"),
    @JsonSubTypes.Type(value = JournalEntry.Decided.class, name = "decided"),
    @JsonSubTypes.Type(value = JournalEntry.Finished.class, name = "finished"),
    @JsonSubTypes.Type(value = JournalEntry.Ended.class, name = "ended"),
    @JsonSubTypes.Type(value = JournalEntry.Lost.class, name = "lost"),
    @JsonSubTypes.Type(value = JournalEntry.Calibrated.class, name = "calibrated")
})
public sealed interface JournalEntry {

    /**
     * The first line.
     *
     * @param policy its name
     * @param trials ids of the configurations, by index of the trial
     */
    record Started(String policy, List<String> trials) implements JournalEntry {
        public Started {
            trials = ImmutableList.copyOf(trials);
        }
    }

    /**
     * A decision of the policy.
     *
     * @param decision its number, from 0
     */
    record Decided(int decision, List<Action> actions) implements JournalEntry {
        public Decided {
            actions = ImmutableList.copyOf(actions);
        }
    }

    /**
     * An iteration is done, or several.
     *
     * @param iteration number of the last one in the group, from 0
     * @param samples that they took of each trial
     */
    record Finished(int group, int iteration, SortedMap<Integer, Integer> samples) implements JournalEntry {
        public Finished {
            samples = ImmutableSortedMap.copyOf(samples);
        }
    }

    /**
     * A trial ended.
     *
     * @param samples that it had done
     */
    record Ended(int trial, EndReason reason, long samples) implements JournalEntry {}

    /** A device failed. */
    record Lost(int device) implements JournalEntry {}

    /**
     * The policy goes by corrected times from here on; for people, as a replay takes the decisions as they are.
     *
     * @param factors of the parts of the time, in the order of {@link io.plora.cost.IterationParts}
     * @param fixedSeconds added to every iteration
     * @param rows measured iterations that they were fitted to
     */
    record Calibrated(List<Double> factors, double fixedSeconds, int rows) implements JournalEntry {
        public Calibrated {
            factors = ImmutableList.copyOf(factors);
        }
    }
}
