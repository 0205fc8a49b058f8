package io.plora.plan;

import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Packs as many trials as memory and token budget hold, those with the longest chain of optimizer steps first, because a chain
 * is what no packing shortens.
 *
 * <p>Each iteration takes one sample of every member, then deals out what is left of the token budget, one more sample of each
 * in turn. A waiting trial joins the group with the fewest tokens, if its sample fits beside those of the members. Should the
 * members' next samples be so long that not all fit, those with the shortest chains sit the iteration out.
 */
public final class GreedyPacking implements PackingPolicy {
    @Override
    public String name() {
        return "greedy packing";
    }

    @Override
    public Decision decide(SweepState state) {
        Feasibility.requireEachFitsAlone(state);
        DecisionBuilder decision = new DecisionBuilder(state);
        List<GroupLoad> loads = decision.loads();
        loads.forEach(load -> members(state, load).forEach(load::takeNext));
        state.waiting().forEach(trial -> joinLightest(trial, loads));
        loads.forEach(load -> fill(load, members(state, load)));
        return decision.build();
    }

    private static void joinLightest(TrialState trial, List<GroupLoad> loads) {
        loads.stream()
                .filter(load -> load.admits(trial))
                .min(Comparator.comparingLong(GroupLoad::tokens))
                .ifPresent(load -> {
                    load.join(trial);
                    load.takeNext(trial);
                });
    }

    private static void fill(GroupLoad load, List<TrialState> members) {
        boolean taken = true;
        while (taken) {
            taken = false;
            for (TrialState member : members) {
                taken |= load.takeNext(member);
            }
        }
    }

    private static List<TrialState> members(SweepState state, GroupLoad load) {
        return inOrder(load.members().stream().map(state::trial)).toList();
    }

    private static Stream<TrialState> inOrder(Stream<TrialState> trials) {
        return trials.sorted(TrialState.LONGEST_CHAIN_FIRST);
    }
}
