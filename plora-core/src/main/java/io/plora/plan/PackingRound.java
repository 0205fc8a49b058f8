package io.plora.plan;

import com.google.common.collect.ImmutableList;
import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.Leave;
import io.plora.plan.Action.OpenGroup;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One decision of {@link ContinuousPacking}. */
final class PackingRound {
    /** Waiting trials that are tried in vain before a group goes on as it is. */
    private static final int MOST_REFUSALS = 100;
    /** Near the end, groups look at one another after this part of what they have left. */
    private static final double LOOK_AROUND = 0.1;

    private final SweepState state;
    private final Rates rates;
    private final DegreeChoice degrees;
    private final List<Seat> seats = new ArrayList<>();
    private final ImmutableList.Builder<Action> leaves = ImmutableList.builder();
    private final double speeds;
    private final boolean nearEnd;

    /** A group to decide about; null for one that may open. */
    private record Seat(@Nullable GroupState group, PackDraft draft) {
        double fullness(SweepState state) {
            return draft.samples() / (draft.degree() * state.speedOf(draft.devices()));
        }
    }

    PackingRound(SweepState state) {
        this.state = state;
        rates = new Rates(state);
        degrees = new DegreeChoice(state, rates);
        speeds = state.devices().stream().mapToDouble(DeviceState::speed).sum();
        nearEnd = state.waiting().size() < Math.max(1, state.groups().size());
    }

    Decision decide() {
        Balance balance = nearEnd ? Balance.of(state, rates) : null;
        for (GroupState group : state.idleGroups()) {
            seat(group, balance);
        }
        if (!state.freeDevices().isEmpty() && !state.waiting().isEmpty()) {
            GroupOpener opener = new GroupOpener(state, rates, degrees);
            opener.open().forEach(devices -> seats.add(new Seat(null, draft(devices, List.of()))));
        }
        admit(balance);
        return decision();
    }

    /** The members of a group stay, but for one that is better off elsewhere. */
    private void seat(GroupState group, @Nullable Balance balance) {
        List<TrialState> members =
                new ArrayList<>(group.members().stream().map(state::trial).toList());
        List<TrialState> going = isLargerThanNeeded(group, members)
                ? List.copyOf(members)
                : balance == null ? List.of() : balance.going(group, members, degrees);
        for (TrialState member : going) {
            leaves.add(new Leave(group.id(), member.index()));
            members.remove(member);
        }
        PackDraft draft = draft(group.devices(), members);
        members.forEach(draft::join);
        draft.fillAll();
        seats.add(new Seat(group, draft));
    }

    /** Whether its devices do better as smaller groups: what needed so many of them has ended. */
    private boolean isLargerThanNeeded(GroupState group, List<TrialState> members) {
        return group.degree() > 1
                && members.stream().allMatch(member -> degrees.preferred(member) < group.degree())
                && state.waiting().stream().noneMatch(trial -> degrees.preferred(trial) >= group.degree());
    }

    private PackDraft draft(List<Integer> devices, List<TrialState> members) {
        return new PackDraft(state, devices, mostTokens(devices, members));
    }

    /** What saturates the devices, but leaves the longest chain enough iterations. */
    private double mostTokens(List<Integer> devices, List<TrialState> members) {
        double share = devices.size() * state.speedOf(devices) / speeds;
        double own = members.stream().mapToLong(TrialState::samplesLeft).sum();
        double samples = Math.max(own, share * state.samplesLeft());
        long chain = members.stream().mapToLong(TrialState::stepsLeft).max().orElse(0);
        if (chain == 0 && !state.waiting().isEmpty()) {
            chain = state.waiting().first().stepsLeft();
        }
        double samplesPerIteration = Math.ceil(1.02 * samples / Math.max(1, chain));
        return Math.min(rates.at(devices.size()).saturation(), samplesPerIteration * state.meanTokens());
    }

    private void admit(@Nullable Balance balance) {
        PriorityQueue<Seat> open = new PriorityQueue<>(Comparator.<Seat>comparingDouble(seat -> seat.fullness(state))
                .thenComparing(seat -> seat.draft().devices().get(0)));
        seats.stream()
                .filter(seat -> balance == null || seat.group() == null || balance.mayTake(seat.group()))
                .forEach(open::add);
        Set<Integer> joined = new HashSet<>();
        for (boolean own : new boolean[] {true, false}) {
            int refusals = 0;
            List<Seat> full = new ArrayList<>();
            for (TrialState trial : state.waiting()) {
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

    /** @param own whether only groups of the trial's own degree are asked */
    private boolean join(TrialState trial, boolean own, PriorityQueue<Seat> open, List<Seat> full) {
        int least = degrees.least(trial);
        List<Seat> asked = new ArrayList<>();
        boolean joined = false;
        while (!joined && !open.isEmpty() && asked.size() < MOST_REFUSALS) {
            Seat seat = open.remove();
            PackDraft draft = seat.draft();
            boolean suits = own ? draft.degree() == degrees.preferred(trial) : draft.degree() >= least;
            if (suits && draft.isFull()) {
                full.add(seat);
                continue;
            }
            asked.add(seat);
            if (suits && draft.holds(trial) && draft.fits(trial, false)) {
                draft.join(trial);
                draft.fill(trial);
                joined = true;
            }
        }
        open.addAll(asked);
        return joined;
    }

    private Decision decision() {
        ImmutableList.Builder<Action> actions = ImmutableList.builder();
        actions.addAll(leaves.build());
        Map<Integer, Seat> running = new LinkedHashMap<>();
        for (Seat seat : seats) {
            GroupState group = seat.group();
            if (group != null && seat.draft().members().isEmpty()) {
                actions.add(new CloseGroup(group.id()));
            } else if (group != null) {
                running.put(group.id(), seat);
            }
        }
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

    private int mostIterations(PackDraft draft) {
        if (!nearEnd || state.devices().size() == draft.degree()) {
            return Integer.MAX_VALUE;
        }
        double own = draft.members().stream().mapToLong(TrialState::samplesLeft).sum();
        return (int) Math.max(1, LOOK_AROUND * own / draft.samples());
    }
}
