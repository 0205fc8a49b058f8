package io.plora.plan;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.collect.ImmutableList;
import io.plora.cost.Bytes;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a policy makes of a sweep: its trace in the simulator. Times are seconds since the start.
 *
 * @param policy name of the policy
 * @param makespan when the last group finishes
 * @param bound what no schedule can go below
 * @param planMillis what the planning took
 * @param groups by id
 * @param decisions in order
 * @param baseline what it is compared with; null if it is not
 */
public record SweepPlan(
        String policy,
        double makespan,
        LowerBound bound,
        double planMillis,
        List<GroupPlan> groups,
        @JsonIgnore List<Decision> decisions,
        @Nullable Baseline baseline) {

    private static final ObjectMapper JSON = new ObjectMapper();

    public SweepPlan {
        groups = ImmutableList.copyOf(groups);
        decisions = ImmutableList.copyOf(decisions);
    }

    /**
     * The same sweep under another policy.
     *
     * @param policy name of that policy
     * @param makespan when the last group finishes
     */
    public record Baseline(String policy, double makespan) {}

    /**
     * One group.
     *
     * @param group id
     * @param devices indices of its devices
     * @param start when it opens
     * @param end when it closes, or its last iteration ends
     * @param members stays of trials, by the time when they join
     * @param phases what it runs, in order; between them it is idle
     * @param iterations passes of the base model
     * @param tokens of all iterations
     * @param largestIteration most tokens of an iteration
     * @param largestMemory most bytes on each of its devices
     */
    public record GroupPlan(
            int group,
            List<Integer> devices,
            double start,
            double end,
            List<MemberPlan> members,
            List<PhasePlan> phases,
            int iterations,
            long tokens,
            long largestIteration,
            long largestMemory) {

        public GroupPlan {
            devices = ImmutableList.copyOf(devices);
            members = ImmutableList.copyOf(members);
            phases = ImmutableList.copyOf(phases);
        }
    }

    /**
     * A trial's stay in a group; a trial that is paused has several.
     *
     * @param trial index
     * @param id of its configuration
     * @param joined when
     * @param left when
     * @param firstIteration number of the group's first iteration that takes samples of it, from 0; -1 if there is none
     * @param lastIteration the last one
     * @param samples taken in this stay
     */
    public record MemberPlan(
            int trial, String id, double joined, double left, int firstIteration, int lastIteration, long samples) {}

    /**
     * Iterations in which the same trials take part.
     *
     * @param start of the first
     * @param end of the last
     * @param members trials that take part
     * @param iterations how many
     * @param tokens of an iteration, on average
     * @param memory most bytes on each of the group's devices
     */
    public record PhasePlan(
            double start, double end, List<Integer> members, int iterations, double tokens, long memory) {
        public PhasePlan {
            members = ImmutableList.copyOf(members);
        }

        /** This one and the next as one. */
        PhasePlan and(PhasePlan next) {
            int both = iterations + next.iterations;
            return new PhasePlan(
                    start,
                    next.end,
                    members,
                    both,
                    (tokens * iterations + next.tokens * next.iterations) / both,
                    Math.max(memory, next.memory));
        }
    }

    /** How much longer the plan takes than the lower bound, such as 0.02 for 2%. */
    public double gap() {
        return bound.gap(makespan);
    }

    /** This plan beside another one of the same sweep. */
    public SweepPlan comparedWith(SweepPlan other) {
        return new SweepPlan(
                policy, makespan, bound, planMillis, groups, decisions, new Baseline(other.policy, other.makespan));
    }

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
        StringBuilder text = new StringBuilder(String.format(
                Locale.ROOT,
                "Plan by %s: %,.1f seconds, %.1f%% above the lower bound (work %,.1f, chain %,.1f, memory %,.1f)%n"
                        + "%,d iterations, %,d tokens, planned in %,.0f ms%n",
                policy,
                makespan,
                100 * gap(),
                bound.work(),
                bound.chain(),
                bound.memory(),
                iterations(),
                tokens(),
                planMillis));
        if (baseline != null) {
            text.append(String.format(
                    Locale.ROOT,
                    "By %s: %,.1f seconds, %.1f%% above the lower bound, %.2f times as long%n",
                    baseline.policy(),
                    baseline.makespan(),
                    100 * bound.gap(baseline.makespan()),
                    baseline.makespan() / makespan));
        }
        groups.forEach(group -> append(text, group));
        return text.toString();
    }

    private static void append(StringBuilder text, GroupPlan group) {
        text.append(String.format(
                Locale.ROOT,
                "Group %d on devices %s from %,.1f to %,.1f: %,d iterations, %,d tokens (at most %,d an iteration), at most %s%n",
                group.group(),
                group.devices(),
                group.start(),
                group.end(),
                group.iterations(),
                group.tokens(),
                group.largestIteration(),
                Bytes.toText(group.largestMemory())));
        text.append(String.format(
                Locale.ROOT, "  %5s  %-40s %12s %12s %8s%n", "trial", "configuration", "joins", "leaves", "samples"));
        for (MemberPlan member : group.members()) {
            text.append(String.format(
                    Locale.ROOT,
                    "  %5d  %-40s %12.1f %12.1f %8d%n",
                    member.trial(),
                    member.id(),
                    member.joined(),
                    member.left(),
                    member.samples()));
        }
    }

    /** All but the decisions as one JSON object. */
    public String toJson() {
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("A plan that is no JSON: " + this, e);
        }
    }
}
