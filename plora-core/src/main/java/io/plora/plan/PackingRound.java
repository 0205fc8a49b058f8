package io.plora.plan;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.Iterables;
import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.Leave;
import io.plora.plan.Action.OpenGroup;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.PriorityQueue;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One decision of {@link ContinuousPacking}. */
final class PackingRound {
    /** Waiting trials that are tried in vain before groups go on as they are. */
    private static final int MOST_REFUSALS = 100;

    private final SweepState state;
    private final DegreeChoice degrees;
    /** Degree that the longest chain asks for. */
    private final int chains;

    private final @Nullable EndGame endGame;
    /** Whether few trials wait after the decision. */
    private boolean nearEnd;

    private final Comparator<TrialState> order;
    private final List<Seat> seats = new ArrayList<>();
    private final List<Leave> leaves = new ArrayList<>();
    private final Map<Integer, TrialState> released = new HashMap<>();
    /** Degrees of groups that may open. */
    private final Set<Integer> opening = new HashSet<>();

    /** A group to decide about; null for one that may open. */
    private record Seat(@Nullable GroupState group, PackDraft draft) {
        double fullness(SweepState state) {
            return draft.samples() / (draft.degree() * state.speedOf(draft.devices()));
        }
    }

    private PackingRound(SweepState state) {
        this.state = state;
        degrees = state.degrees();
        chains = degrees.forChains();
        endGame = state.isNearEnd() ? new EndGame(state, state.timeLeft(chains)) : null;
        order = endGame == null
                ? TrialState.LONGEST_CHAIN_FIRST
                : state.timeLeft(chains).longestFirst();
    }

    /** Groups that have lost their last member go on with others, unless their devices are needed for other groups. */
    static Decision decide(SweepState state) {
        PackingRound round = new PackingRound(state);
        Decision decision = round.decide(false);
        boolean runs =
                !round.seats.stream().allMatch(seat -> seat.draft().members().isEmpty())
                        || state.groups().stream().anyMatch(GroupState::isIterating);
        return runs ? decision : new PackingRound(state).decide(true);
    }

    private Decision decide(boolean emptyGroupsClose) {
        List<DeviceState> free = new ArrayList<>(state.freeDevices());
        List<GroupState> staying = new ArrayList<>();
        for (GroupState group : state.idleGroups()) {
            List<TrialState> members = members(group);
            if (isLargerThanNeeded(group, members) || emptyGroupsClose && members.isEmpty()) {
                members.forEach(member -> release(group, member));
                group.devices().forEach(device -> free.add(state.device(device)));
            } else {
                staying.add(group);
            }
        }
        staying.forEach(this::seat);
        Iterable<TrialState> candidates = candidates();
        if (!free.isEmpty() && !Iterables.isEmpty(candidates)) {
            new GroupOpener(state, this::preferred, free, candidates)
                    .open()
                    .forEach(devices -> seats.add(new Seat(null, draft(devices, List.of()))));
        }
        admit(candidates);
        return decision();
    }

    private int preferred(TrialState trial) {
        return degrees.preferred(trial, chains);
    }

    private List<TrialState> members(GroupState group) {
        return new ArrayList<>(group.members().stream().map(state::trial).toList());
    }

    private void release(GroupState group, TrialState member) {
        leaves.add(new Leave(group.id(), member.index()));
        released.put(member.index(), member);
    }

    /** The members of a group stay, but for those that are better off elsewhere or later. */
    private void seat(GroupState group) {
        List<TrialState> members = members(group);
        if (endGame != null) {
            endGame.going(group, members).forEach(member -> {
                release(group, member);
                members.remove(member);
            });
        }
        PackDraft draft = draft(group.devices(), members);
        members.forEach(draft::join);
        if (endGame != null) {
            endGame.joinUrgent(group, draft);
        }
        draft.fillAll(order);
        seats.add(new Seat(group, draft));
    }

    /** Whether its devices do better as smaller groups: what needed so many of them has ended. */
    private boolean isLargerThanNeeded(GroupState group, List<TrialState> members) {
        return group.degree() > 1
                && members.stream().allMatch(member -> preferred(member) < group.degree())
                && state.waiting().stream().noneMatch(trial -> preferred(trial) >= group.degree());
    }

    private PackDraft draft(List<Integer> devices, List<TrialState> members) {
        return new PackDraft(state, devices, mostTokens(devices, members));
    }

    /** What saturates the devices, but leaves the longest chain enough iterations. */
    private double mostTokens(List<Integer> devices, List<TrialState> members) {
        double share = devices.size() * state.speedOf(devices) / state.speeds();
        double own = members.stream().mapToLong(TrialState::samplesLeft).sum();
        double samples = Math.max(own, share * state.samplesLeft());
        long chain = members.stream().mapToLong(TrialState::stepsLeft).max().orElse(0);
        if (chain == 0 && !state.waiting().isEmpty()) {
            chain = state.waiting().first().stepsLeft();
        }
        double samplesPerIteration = Math.ceil(1.02 * samples / Math.max(1, chain));
        return Math.min(state.rates().at(devices.size()).saturation(), samplesPerIteration * state.meanTokens());
    }

    /** Trials that may join: those that wait and have not been taken already, and those that leave now. */
    private Iterable<TrialState> candidates() {
        if (endGame == null) {
            return released.isEmpty() ? state.waiting() : merged(state.waiting());
        }
        NavigableSet<TrialState> waiting = state.timeLeft(chains).waiting();
        return Iterables.filter(merged(waiting), trial -> !endGame.hasJoined(trial));
    }

    private Iterable<TrialState> merged(NavigableSet<TrialState> waiting) {
        List<TrialState> leaving = released.values().stream().sorted(order).toList();
        return Iterables.mergeSorted(List.of(waiting, leaving), order);
    }

    private void admit(Iterable<TrialState> candidates) {
        PriorityQueue<Seat> open = new PriorityQueue<>(Comparator.<Seat>comparingDouble(seat -> seat.fullness(state))
                .thenComparing(seat -> seat.draft().devices().get(0)));
        open.addAll(seats);
        seats.forEach(seat -> opening.add(seat.draft().degree()));
        Set<Integer> joined = new HashSet<>();
        for (boolean own : new boolean[] {true, false}) {
            int refusals = 0;
            List<Seat> full = new ArrayList<>();
            for (TrialState trial : candidates) {
                if (open.isEmpty() || refusals > MOST_REFUSALS) {
                    break;
                }
                if (!joined.contains(trial.index())) {
                    if (join(trial, own, open, full)) {
                        joined.add(trial.index());
                    } else {
                        refusals++;
                    }
                }
            }
            open.addAll(full);
        }
    }

    /** @param own whether only groups of the degree that the trial prefers are asked */
    private boolean join(TrialState trial, boolean own, PriorityQueue<Seat> open, List<Seat> full) {
        List<Seat> asked = new ArrayList<>();
        boolean joined = false;
        while (!joined && !open.isEmpty() && asked.size() < MOST_REFUSALS) {
            Seat seat = open.remove();
            PackDraft draft = seat.draft();
            if (draft.isFull()) {
                full.add(seat);
                continue;
            }
            asked.add(seat);
            if (suits(trial, own, seat) && draft.holds(trial) && draft.fits(trial, false)) {
                draft.join(trial);
                draft.fill(trial);
                joined = true;
            }
        }
        open.addAll(asked);
        return joined;
    }

    private boolean suits(TrialState trial, boolean own, Seat seat) {
        int degree = seat.draft().degree();
        GroupState group = seat.group();
        int preferred = preferred(trial);
        boolean suits = own
                ? degree == preferred
                : degree >= degrees.least(trial) && !isInUse(preferred) && costsLess(trial, degree, preferred);
        return suits
                && (group == null
                        || endGame == null
                        || !group.members().contains(trial.index()) && endGame.mayTake(group));
    }

    private boolean isInUse(int degree) {
        return state.isInUse(degree) || opening.contains(degree);
    }

    /** Whether what a trial adds to the iterations of a group is less than it takes in groups of its own degree. */
    private boolean costsLess(TrialState trial, int degree, int preferred) {
        return degree * state.rates().at(degree).marginal(trial)
                <= preferred * state.rates().at(preferred).seconds(trial);
    }

    private Decision decision() {
        ImmutableList.Builder<Action> actions = ImmutableList.builder();
        actions.addAll(leaves);
        nearEnd = state.isNearEnd(state.waiting().size() + leaves.size() - countJoins());
        Map<Integer, Seat> running = new LinkedHashMap<>();
        Set<Integer> closing = new HashSet<>();
        state.idleGroups().forEach(group -> closing.add(group.id()));
        for (Seat seat : seats) {
            GroupState group = seat.group();
            if (group != null && !seat.draft().members().isEmpty()) {
                closing.remove(group.id());
                running.put(group.id(), seat);
            }
        }
        closing.stream().sorted().map(CloseGroup::new).forEach(actions::add);
        int next = state.nextGroup();
        for (Seat seat : seats) {
            if (seat.group() == null && !seat.draft().members().isEmpty()) {
                actions.add(new OpenGroup(next, seat.draft().devices()));
                running.put(next, seat);
                next++;
            }
        }
        running.forEach((id, seat) -> run(id, seat, actions));
        return new Decision(actions.build());
    }

    private void run(int id, Seat seat, ImmutableList.Builder<Action> actions) {
        Set<Integer> before = seat.group() == null ? Set.of() : seat.group().members();
        PackDraft draft = seat.draft();
        for (TrialState member : draft.members()) {
            if (!before.contains(member.index())) {
                actions.add(new Join(id, member.index()));
            }
        }
        actions.add(draft.iterate(id, mostIterations(draft)));
    }

    private int countJoins() {
        int joins = 0;
        for (Seat seat : seats) {
            GroupState group = seat.group();
            for (TrialState member : seat.draft().members()) {
                joins += group == null || !group.members().contains(member.index()) ? 1 : 0;
            }
        }
        return joins;
    }

    /** Near the end groups have to look at one another; a group of all devices has no other. */
    private int mostIterations(PackDraft draft) {
        if (!nearEnd || state.devices().size() == draft.degree()) {
            return Integer.MAX_VALUE;
        }
        EndGame game = endGame == null ? new EndGame(state, state.timeLeft(chains)) : endGame;
        return game.mostIterations(draft);
    }
}
