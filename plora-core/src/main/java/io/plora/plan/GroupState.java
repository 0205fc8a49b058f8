package io.plora.plan;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSortedMap;
import com.google.common.collect.ImmutableSortedSet;
import com.google.common.collect.Sets;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;

/**
 * A running group: trials that train together in one pass of the base model.
 *
 * @param id number of the group, never used again
 * @param devices indices of its devices
 * @param members indices of its trials
 * @param iterations how many iterations it has finished
 * @param iteration samples of each trial in the iteration in progress; empty between iterations
 */
public record GroupState(
        int id,
        List<Integer> devices,
        SortedSet<Integer> members,
        int iterations,
        SortedMap<Integer, Integer> iteration) {

    public GroupState {
        devices = ImmutableList.copyOf(devices);
        members = ImmutableSortedSet.copyOf(members);
        iteration = ImmutableSortedMap.copyOf(iteration);
    }

    /** Whether an iteration is in progress. */
    public boolean isIterating() {
        return !iteration.isEmpty();
    }

    static GroupState open(int id, List<Integer> devices) {
        return new GroupState(id, devices, ImmutableSortedSet.of(), 0, ImmutableSortedMap.of());
    }

    GroupState withMember(int trial) {
        return withMembers(ImmutableSortedSet.<Integer>naturalOrder()
                .addAll(members)
                .add(trial)
                .build());
    }

    GroupState withoutMember(int trial) {
        return withMembers(ImmutableSortedSet.copyOf(Sets.filter(members, member -> member != trial)));
    }

    private GroupState withMembers(SortedSet<Integer> members) {
        return new GroupState(id, devices, members, iterations, iteration);
    }

    GroupState begin(SortedMap<Integer, Integer> samples) {
        return new GroupState(id, devices, members, iterations, samples);
    }

    GroupState finish() {
        return new GroupState(id, devices, members, iterations + 1, ImmutableSortedMap.of());
    }
}
