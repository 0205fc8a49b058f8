package io.plora.plan;

import io.plora.cost.Bytes;
import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.Leave;
import io.plora.plan.Action.OpenGroup;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Checks decisions: planner and executor carry out nothing that has not passed here. */
final class DecisionValidator {
    private final SweepState state;
    private final SortedMap<Integer, Draft> drafts = new TreeMap<>();
    /** Group of each trial that joins or leaves, -1 for none. */
    private final Map<Integer, Integer> groupOfTrial = new HashMap<>();

    private final Set<Integer> taken = new HashSet<>();
    private final Set<Integer> freed = new HashSet<>();
    private int nextGroup;

    /** A group as the decision leaves it. */
    static final class Draft {
        private final int id;
        private final List<Integer> devices;
        private final SortedSet<Integer> members;
        private boolean closed;
        private @Nullable Iterate iterate;
        private @Nullable Stretch stretch;

        Draft(int id, List<Integer> devices, Collection<Integer> members) {
            this.id = id;
            this.devices = devices;
            this.members = new TreeSet<>(members);
        }

        int id() {
            return id;
        }

        boolean isClosed() {
            return closed;
        }

        SortedSet<Integer> members() {
            return members;
        }

        /** Null where the group does not iterate. */
        @Nullable Stretch stretch() {
            return stretch;
        }
    }

    private DecisionValidator(SweepState state) {
        this.state = state;
        nextGroup = state.nextGroup();
    }

    /**
     * Checks a decision, action by action, and what its groups hold at the end. The state stays as it is.
     *
     * @return the groups that it concerns, by id
     * @throws IllegalArgumentException if it cannot be carried out, naming the action and the reason
     */
    static Collection<Draft> validate(SweepState state, Decision decision) {
        DecisionValidator validator = new DecisionValidator(state);
        decision.actions().forEach(validator::apply);
        validator.drafts.values().forEach(validator::finish);
        return validator.drafts.values();
    }

    private void apply(Action action) {
        try {
            if (action instanceof OpenGroup open) {
                open(open);
                return;
            }
            Draft group = draft(action.group());
            require(group.iterate == null, "group (%d) is in an iteration", group.id);
            if (action instanceof Join join) {
                join(group, state.trial(join.trial()));
            } else if (action instanceof Leave leave) {
                leave(group, state.trial(leave.trial()));
            } else if (action instanceof CloseGroup) {
                require(group.members.isEmpty(), "trials (%s) are members; let them leave first", group.members);
                group.closed = true;
                freed.addAll(group.devices);
                taken.removeAll(group.devices);
            } else if (action instanceof Iterate iterate) {
                iterate(group, iterate);
            }
        } catch (IllegalArgumentException | NoSuchElementException e) {
            throw new IllegalArgumentException("Impossible action (%s): %s".formatted(action, e.getMessage()), e);
        }
    }

    private Draft draft(int id) {
        Draft draft = drafts.get(id);
        if (draft == null) {
            GroupState group = state.group(id);
            require(!group.isIterating(), "group (%d) is in an iteration", id);
            draft = new Draft(id, group.devices(), group.members());
            drafts.put(id, draft);
        }
        require(!draft.closed, "group (%d) is closed", id);
        return draft;
    }

    private void open(OpenGroup open) {
        require(open.group() == nextGroup, "the next group is (%d)", nextGroup);
        require(
                Degrees.isDegree(open.devices().size()),
                "it names (%d) devices, which is no power of two",
                open.devices().size());
        require(new HashSet<>(open.devices()).size() == open.devices().size(), "it names a device twice");
        for (int device : open.devices()) {
            int node = state.device(device).node();
            boolean free = freed.contains(device) || state.isFree(device) && !taken.contains(device);
            require(free, "device (%d) belongs to another group", device);
            require(
                    node == state.device(open.devices().get(0)).node(),
                    "device (%d) is of node (%d), not of the first one's",
                    device,
                    node);
        }
        taken.addAll(open.devices());
        freed.removeAll(open.devices());
        drafts.put(nextGroup, new Draft(nextGroup, open.devices(), Set.of()));
        nextGroup++;
    }

    private void join(Draft group, TrialState trial) {
        require(trial.phase() != Phase.ENDED, "%s has ended", trial);
        GroupState before = state.groupOf(trial.index());
        int other = groupOfTrial.getOrDefault(trial.index(), before == null ? -1 : before.id());
        require(other == -1, "%s is already in group (%d)", trial, other);
        requireHolds(group, trial);
        group.members.add(trial.index());
        groupOfTrial.put(trial.index(), group.id);
    }

    private void requireHolds(Draft group, TrialState trial) {
        int degree = group.devices.size();
        long bytes = state.memory().baseBytes(degree)
                + state.memory().adapterBytes(trial.config(), degree)
                + state.memory().tokenBytes(trial.config(), degree)
                        * trial.epochLengths().longest();
        long limit = state.memoryOf(group.devices);
        require(
                bytes <= limit,
                "%s needs (%s) for its longest sample, group (%d) has (%s)",
                trial,
                Bytes.toText(bytes),
                group.id,
                Bytes.toText(limit));
    }

    private void leave(Draft group, TrialState trial) {
        requireMember(group, trial);
        group.members.remove(trial.index());
        groupOfTrial.put(trial.index(), -1);
    }

    private void iterate(Draft group, Iterate iterate) {
        require(!iterate.samples().isEmpty(), "it has no sample");
        require(iterate.repeat() >= 1, "it repeats (%d) times", iterate.repeat());
        iterate.samples().forEach((index, count) -> {
            TrialState trial = state.trial(index);
            requireMember(group, trial);
            int batch = trial.config().batchSize();
            require(count >= 1, "%s gets (%d) samples; leave it out instead", trial, count);
            require(count <= batch, "%s gets (%d) samples, its batch has (%d)", trial, count, batch);
            int left = trial.iterationsLeftInEpoch(count);
            require(
                    iterate.filled() || iterate.repeat() <= left,
                    "it repeats (%d) times, %s ends its epoch after (%d)",
                    iterate.repeat(),
                    trial,
                    left);
        });
        group.iterate = iterate;
    }

    private void finish(Draft group) {
        if (group.closed) {
            return;
        }
        Iterate iterate = group.iterate;
        long limit = state.memoryOf(group.devices);
        if (iterate == null) {
            requireFits(group, bytesOfMembers(group), limit);
            return;
        }
        StretchScan scan = new StretchScan(
                state, group.devices, group.members, iterate.samples(), iterate.filled(), iterate.repeat());
        if (scan.possible() < iterate.repeat()) {
            throw impossible(group, iterate, scan, limit);
        }
        group.stretch = scan.stretch();
    }

    private IllegalArgumentException impossible(Draft group, Iterate iterate, StretchScan scan, long limit) {
        if (scan.isEpochDone()) {
            return new IllegalArgumentException(
                    "Impossible action (%s): it repeats (%d) times, a trial ends its epoch after (%d)."
                            .formatted(iterate, iterate.repeat(), scan.possible()));
        }
        requireFits(group, scan.bytes(), limit);
        require(!iterate.filled(), "Impossible decision: no sample of the members of group (%d) fits", group.id);
        return new IllegalArgumentException(
                "Impossible decision: iteration (%d of %d) of group (%d) has (%d) tokens, the token budget is (%d)."
                        .formatted(
                                scan.possible() + 1, iterate.repeat(), group.id, scan.tokens(), state.tokenBudget()));
    }

    private long bytesOfMembers(Draft group) {
        int degree = group.devices.size();
        long bytes = state.memory().baseBytes(degree);
        for (int member : group.members) {
            bytes += state.memory().adapterBytes(state.trial(member).config(), degree);
        }
        return bytes;
    }

    private static void requireFits(Draft group, long bytes, long limit) {
        require(
                bytes <= limit,
                "Impossible decision: group (%d) with trials (%s) needs (%s), its smallest device has (%s)",
                group.id,
                group.members,
                Bytes.toText(bytes),
                Bytes.toText(limit));
    }

    private static void requireMember(Draft group, TrialState trial) {
        require(group.members.contains(trial.index()), "%s is no member of group (%d)", trial, group.id);
    }

    private static void require(boolean valid, String message, Object... values) {
        if (!valid) {
            throw new IllegalArgumentException(message.formatted(values) + ".");
        }
    }
}
