package io.plora.plan;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSortedMap;
import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.OpenGroup;
import io.plora.plan.JobChoice.DevicePool;
import io.plora.plan.JobChoice.StartedJob;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** A decision about static jobs: those that run go on with the members they have, a choice starts new ones on free devices. */
final class JobDecision {
    private final StaticJobs jobs;
    private final SweepState state;
    private final ImmutableList.Builder<Action> actions = ImmutableList.builder();
    private final Set<Integer> free = new TreeSet<>();
    private int nextGroup;

    private JobDecision(StaticJobs jobs) {
        this.jobs = jobs;
        state = jobs.state();
        nextGroup = state.nextGroup();
    }

    static Decision decide(StaticJobs jobs, JobChoice choice) {
        jobs.requireEachFits();
        JobDecision decision = new JobDecision(jobs);
        decision.goOn();
        decision.start(choice);
        return new Decision(decision.actions.build());
    }

    private void goOn() {
        state.freeDevices().forEach(device -> free.add(device.index()));
        for (GroupState group : state.idleGroups()) {
            if (group.members().isEmpty()) {
                actions.add(new CloseGroup(group.id()));
                free.addAll(group.devices());
            } else {
                iterate(
                        group.id(),
                        group.devices(),
                        group.members().stream().map(state::trial).toList());
            }
        }
    }

    private void start(JobChoice choice) {
        Set<TrialState> waiting = new LinkedHashSet<>(state.waiting());
        for (DevicePool pool : pools()) {
            List<Integer> unused = new ArrayList<>(pool.free());
            for (StartedJob job : choice.choose(jobs, waiting, pool)) {
                List<Integer> devices = unused.subList(0, job.degree());
                actions.add(new OpenGroup(nextGroup, devices));
                job.members().forEach(member -> actions.add(new Join(nextGroup, member.index())));
                iterate(nextGroup, List.copyOf(devices), job.members());
                devices.clear();
                waiting.removeAll(job.members());
                nextGroup++;
            }
        }
    }

    /** Free devices by node and memory, the largest memory first: it is what the largest trials wait for. */
    private List<DevicePool> pools() {
        Collection<List<DeviceState>> alike = state.devices().stream()
                .collect(Collectors.groupingBy(
                        device -> List.of(-device.memoryBytes(), (long) device.node()),
                        () -> new TreeMap<>(Comparator.<List<Long>>comparingLong(key -> key.get(0))
                                .thenComparingLong(key -> key.get(1))),
                        Collectors.toList()))
                .values();
        return alike.stream()
                .map(devices -> new DevicePool(
                        devices.stream()
                                .map(DeviceState::index)
                                .filter(free::contains)
                                .toList(),
                        devices.size(),
                        devices.get(0).memoryBytes()))
                .toList();
    }

    /** As many iterations of every member's share as go without a decision; if not even one does, one of smaller shares. */
    private void iterate(int group, List<Integer> devices, List<TrialState> members) {
        long memoryLimit = state.memoryOf(devices);
        SortedMap<Integer, Integer> shares = new TreeMap<>();
        for (TrialState member : members) {
            int share = jobs.share(member, devices.size(), memoryLimit);
            shares.put(member.index(), share);
        }
        int possible = new StretchScan(state, devices, shares.keySet(), shares, false, Integer.MAX_VALUE).possible();
        actions.add(
                possible > 0
                        ? new Iterate(group, shares, possible)
                        : new Iterate(group, smaller(devices, members, shares)));
    }

    /** Sample by sample in turn, what fits of the shares. */
    private SortedMap<Integer, Integer> smaller(
            List<Integer> devices, List<TrialState> members, SortedMap<Integer, Integer> shares) {
        GroupLoad load = new GroupLoad(state, devices);
        members.forEach(load::join);
        boolean taken = true;
        while (taken) {
            taken = false;
            for (TrialState member : members) {
                if (load.samples().getOrDefault(member.index(), 0) < shares.get(member.index())) {
                    taken |= load.takeNext(member);
                }
            }
        }
        return ImmutableSortedMap.copyOf(load.samples());
    }
}
