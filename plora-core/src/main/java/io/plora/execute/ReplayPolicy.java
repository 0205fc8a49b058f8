package io.plora.execute;

import io.plora.execute.JournalEntry.Decided;
import io.plora.execute.JournalEntry.Ended;
import io.plora.execute.JournalEntry.Finished;
import io.plora.execute.JournalEntry.Started;
import io.plora.plan.Action;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Decision;
import io.plora.plan.GroupState;
import io.plora.plan.PackingPolicy;
import io.plora.plan.Phase;
import io.plora.plan.SweepState;
import io.plora.plan.TrialState;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Takes the decisions of a journal again. Each waits for the events before it in the journal, so that groups which finish in
 * another order this time still do the same.
 *
 * <p>Unlike other policies it remembers where in the journal it is: one instance replays one sweep.
 */
public final class ReplayPolicy implements PackingPolicy {
    private final Journal.Contents journal;
    private final Started started;
    /** Samples that each trial has done according to the entries so far. */
    private final Map<Integer, Long> samplesDone = new HashMap<>();
    /** Iterations that each group has finished according to the entries so far. */
    private final Map<Integer, Integer> iterations = new HashMap<>();
    /** Number of the next entry. */
    private int next = 1;

    /** @param journal what {@link Journal#read} gave */
    public ReplayPolicy(Journal.Contents journal) {
        this.journal = journal;
        started = (Started) journal.entries().get(0);
    }

    @Override
    public String name() {
        return "replay of " + started.policy();
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalStateException if the sweep is not where the journal says, or goes on after the journal's end; the message
     *     names file and line
     */
    @Override
    public Decision decide(SweepState state) {
        if (next == 1) {
            requireSameTrials(state);
        }
        List<Action> actions = new ArrayList<>();
        while (next < journal.entries().size() && follow(journal.entries().get(next), state, actions)) {
            next++;
        }
        boolean iterating = state.groups().stream().anyMatch(GroupState::isIterating);
        require(!actions.isEmpty() || iterating, "the journal ends here, the sweep does not");
        return new Decision(actions);
    }

    /** Takes what an entry decides or checks what it tells; false if its event is yet to come. */
    private boolean follow(JournalEntry entry, SweepState state, List<Action> actions) {
        if (entry instanceof Decided decided) {
            decided.actions().forEach(action -> {
                requireInStep(action, state);
                requirePossible(action, state);
            });
            actions.addAll(decided.actions());
        } else if (entry instanceof Finished finished) {
            return follow(finished, state, actions);
        } else if (entry instanceof Ended ended) {
            return follow(ended, state, actions);
        }
        return true;
    }

    private boolean follow(Finished finished, SweepState state, List<Action> actions) {
        Optional<GroupState> group = state.groups().stream()
                .filter(candidate -> candidate.id() == finished.group())
                .findFirst();
        if (group.isEmpty() || group.get().iterations() <= finished.iteration()) {
            boolean begun = group.isPresent() && group.get().isIterating()
                    || actions.stream().anyMatch(action -> action.group() == finished.group());
            require(
                    begun,
                    "the journal finishes iteration (%d) of group (%d), which has not begun",
                    finished.iteration(),
                    finished.group());
            return false;
        }
        iterations.put(finished.group(), finished.iteration() + 1);
        boolean inStep = group.get().iterations() == finished.iteration() + 1; // else it is ahead, within a stretch
        finished.samples().forEach((trial, count) -> {
            samplesDone.merge(trial, (long) count, Long::sum);
            if (inStep) {
                requireSamples(state.trial(trial), samplesDone.get(trial));
            }
        });
        return true;
    }

    private boolean follow(Ended ended, SweepState state, List<Action> actions) {
        TrialState trial = state.trial(ended.trial());
        if (trial.phase() != Phase.ENDED) {
            require(
                    !actions.isEmpty(),
                    "%s ends (%s) in the journal, here it is (%s)",
                    trial,
                    ended.reason(),
                    trial.phase());
            return false;
        }
        requireSamples(trial, ended.samples());
        return true;
    }

    private void requireSamples(TrialState trial, long expected) {
        require(
                trial.samplesDone() == expected,
                "%s has done (%d) samples, in the journal (%d)",
                trial,
                trial.samplesDone(),
                expected);
    }

    /** The group of an action has done what it had done in the journal. */
    private void requireInStep(Action action, SweepState state) {
        int expected = iterations.getOrDefault(action.group(), 0);
        state.groups().stream()
                .filter(group -> group.id() == action.group())
                .forEach(group -> require(
                        group.iterations() == expected,
                        "group (%d) has done (%d) iterations, in the journal (%d)",
                        group.id(),
                        group.iterations(),
                        expected));
    }

    private void requirePossible(Action action, SweepState state) {
        if (action instanceof Iterate iterate) {
            for (int index : iterate.samples().keySet()) {
                TrialState trial = state.trial(index);
                require(trial.phase() != Phase.ENDED, "%s trains on in the journal, here it has ended", trial);
            }
        }
    }

    private void requireSameTrials(SweepState state) {
        List<String> ids =
                state.trials().stream().map(trial -> trial.config().id()).toList();
        if (!ids.equals(started.trials())) {
            throw new IllegalStateException(
                    "%s: this is the journal of other trials (%s) than those here (%s). Maybe use the same search space."
                            .formatted(journal.file(), started.trials(), ids));
        }
    }

    private void require(boolean valid, String message, Object... values) {
        if (!valid) {
            throw new IllegalStateException("%s: line %d: the sweep deviates from its journal: %s."
                    .formatted(journal.file(), next + 1, message.formatted(values)));
        }
    }
}
