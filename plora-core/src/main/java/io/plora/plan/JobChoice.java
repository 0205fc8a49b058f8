package io.plora.plan;

import com.google.common.collect.ImmutableList;
import java.util.Collection;
import java.util.List;

/** Chooses the static jobs to start on free devices of one kind. */
@FunctionalInterface
interface JobChoice {

    /**
     * A job to start.
     *
     * @param degree how many devices it gets
     * @param members trials
     */
    record StartedJob(int degree, List<TrialState> members) {
        public StartedJob {
            members = ImmutableList.copyOf(members);
        }
    }

    /**
     * Devices of the same node and memory.
     *
     * @param free indices of those that no group has
     * @param size how many there are, free or not
     * @param memoryBytes of each
     */
    record DevicePool(List<Integer> free, int size, long memoryBytes) {
        public DevicePool {
            free = ImmutableList.copyOf(free);
        }
    }

    /**
     * Jobs to start now, on no more devices than are free.
     *
     * @param waiting trials in no group and in none of the jobs chosen for other devices
     */
    List<StartedJob> choose(StaticJobs jobs, Collection<TrialState> waiting, DevicePool pool);
}
