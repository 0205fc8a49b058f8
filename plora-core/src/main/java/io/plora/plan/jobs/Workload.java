package io.plora.plan.jobs;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.ImmutableIntArray;
import io.plora.cost.GroupTime;
import java.util.List;

/**
 * What a sweep's trials cost in static jobs, by the number of devices of the job. Trials that cost the same are of one kind; a
 * kind has the same index whatever the number of devices.
 *
 * @param degrees ascending
 * @param tokenBudget most tokens of an iteration
 * @param time of a job's iterations
 */
public record Workload(List<Degree> degrees, long tokenBudget, GroupTime time) {

    public Workload {
        degrees = ImmutableList.copyOf(degrees);
    }

    /**
     * Jobs on so many devices.
     *
     * @param devices of each job
     * @param memoryBytes what members may hold on each of them
     * @param kinds one that holds more than that cannot run on so few devices
     */
    public record Degree(int devices, long memoryBytes, List<MemberKind> kinds) {
        public Degree {
            kinds = ImmutableList.copyOf(kinds);
        }
    }

    /** F(d, K). */
    ThroughputProblem problem(Degree degree, ImmutableIntArray available) {
        return new ThroughputProblem(
                degree.kinds(), available, degree.memoryBytes(), tokenBudget, time, degree.devices());
    }
}
