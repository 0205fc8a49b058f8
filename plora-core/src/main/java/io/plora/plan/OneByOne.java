package io.plora.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The baseline: a device trains one trial at a time, in the order of the space, whole batches where the token budget and
 * memory allow.
 */
public final class OneByOne implements PackingPolicy {

    @Override
    public String name() {
        return "one by one";
    }

    @Override
    public Decision decide(SweepState state) {
        Feasibility.requireEachFitsAlone(state);
        DecisionBuilder decision = new DecisionBuilder(state);
        List<TrialState> waiting = new ArrayList<>(state.waiting());
        waiting.sort(Comparator.comparingInt(TrialState::index));
        for (GroupLoad load : decision.loads()) {
            if (load.members().isEmpty()) {
                waiting.stream().filter(load::admits).findFirst().ifPresent(trial -> {
                    load.join(trial);
                    waiting.remove(trial);
                });
            }
            for (int member : load.members()) {
                while (load.takeNext(state.trial(member))) {}
            }
        }
        return decision.build();
    }
}
