package io.plora.plan;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.collect.ImmutableList;
import io.plora.cost.Bytes;
import java.util.List;
import java.util.Locale;

/**
 * What a policy makes of a sweep in which nothing fails or stops early: its trace.
 *
 * @param policy name of the policy
 * @param groups by id
 * @param decisions in order
 */
public record SweepPlan(
        String policy, List<GroupPlan> groups, @JsonIgnore List<Decision> decisions) {

    private static final ObjectMapper JSON = new ObjectMapper();

    public SweepPlan {
        groups = ImmutableList.copyOf(groups);
        decisions = ImmutableList.copyOf(decisions);
    }

    /**
     * One group.
     *
     * @param group id
     * @param devices indices of its devices
     * @param members by index of the trial
     * @param iterations passes of the base model
     * @param tokens of all iterations
     * @param largestIteration most tokens of an iteration
     * @param largestMemory most bytes on each of its devices
     */
    public record GroupPlan(
            int group,
            List<Integer> devices,
            List<MemberPlan> members,
            int iterations,
            long tokens,
            long largestIteration,
            long largestMemory) {

        public GroupPlan {
            devices = ImmutableList.copyOf(devices);
            members = ImmutableList.copyOf(members);
        }
    }

    /**
     * A trial in a group.
     *
     * @param trial index
     * @param id of its configuration
     * @param firstIteration number of the group's first iteration that takes samples of it, from 0
     * @param lastIteration the last one
     * @param samples taken in this group
     */
    public record MemberPlan(int trial, String id, int firstIteration, int lastIteration, long samples) {}

    /** Tokens of all groups. */
    public long tokens() {
        return groups.stream().mapToLong(GroupPlan::tokens).sum();
    }

    /** Passes of the base model of all groups. */
    public int iterations() {
        return groups.stream().mapToInt(GroupPlan::iterations).sum();
    }

    /** A table for people. */
    public String toText() {
        StringBuilder text = new StringBuilder(
                String.format(Locale.ROOT, "Plan by %s: %,d iterations, %,d tokens%n", policy, iterations(), tokens()));
        groups.forEach(group -> append(text, group));
        return text.toString();
    }

    private static void append(StringBuilder text, GroupPlan group) {
        text.append(String.format(
                Locale.ROOT,
                "Group %d on devices %s: %,d iterations, %,d tokens (at most %,d an iteration), at most %s%n",
                group.group(),
                group.devices(),
                group.iterations(),
                group.tokens(),
                group.largestIteration(),
                Bytes.toText(group.largestMemory())));
        text.append(String.format(
                Locale.ROOT, "  %5s  %-40s %8s %8s %8s%n", "trial", "configuration", "first", "last", "samples"));
        for (MemberPlan member : group.members()) {
            text.append(String.format(
                    Locale.ROOT,
                    "  %5d  %-40s %8d %8d %8d%n",
                    member.trial(),
                    member.id(),
                    member.firstIteration(),
                    member.lastIteration(),
                    member.samples()));
        }
    }

    /** Groups and members as one JSON object, without the decisions. */
    public String toJson() {
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("A plan that is no JSON: " + this, e);
        }
    }
}
