package io.plora.plan;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSortedMap;
import com.google.common.collect.ImmutableSortedSet;
import com.google.common.collect.Sets;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import org.jspecify.annotations.Nullable;

/**
 * A running group: trials that train together in one pass of the base model.
 *
 * @param id number of the group, never used again
 * @param devices indices of its devices
 * @param members indices of its trials
 * @param iterations how many iterations it has finished
 * @param stretch iterations in progress; null where the policy may change the group
 */
public record GroupState(
        int id,
        List<Integer> devices,
        SortedSet<Integer> members,
        int iterations,
        @Nullable Stretch stretch) {

    public GroupState {
        devices = ImmutableList.copyOf(devices);
        members = ImmutableSortedSet.copyOf(members);
    }

    static GroupState open(int id, List<Integer> devices) {
        return new GroupState(id, devices, ImmutableSortedSet.of(), 0, null);
    }

    /** Number of devices that share the base model. */
    public int degree() {
        return devices.size();
    }

    /** Whether iterations are in progress. */
    public boolean isIterating() {
        return stretch != null;
    }

    /** Most samples of each trial in an iteration in progress; empty where there is none. */
    public SortedMap<Integer, Integer> iteration() {
        return stretch == null ? ImmutableSortedMap.of() : stretch.samples();
    }

    GroupState withMembers(SortedSet<Integer> members) {
        return new GroupState(id, devices, members, iterations, stretch);
    }

    GroupState withoutMember(int trial) {
        return withMembers(ImmutableSortedSet.copyOf(Sets.filter(members, member -> member != trial)));
    }

    GroupState begin(Stretch stretch) {
        return new GroupState(id, devices, members, iterations, stretch);
    }

    GroupState finish(int count, @Nullable Stretch left) {
        return new GroupState(id, devices, members, iterations + count, left);
    }
}
