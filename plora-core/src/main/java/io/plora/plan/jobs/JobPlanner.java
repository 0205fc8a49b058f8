package io.plora.plan.jobs;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.plan.jobs.DecomposedThroughput.Job;
import io.plora.plan.jobs.JobSchedule.PlannedJob;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/**
 * PLoRA's algorithm 2: whenever devices are free, starts the jobs that {@link DecomposedThroughput} chooses for them and goes on
 * to the next predicted end of a job.
 */
public final class JobPlanner {
    private JobPlanner() {}

    /**
     * Plans all trials.
     *
     * @param trials how many there are of each kind
     * @param devices of the cluster
     * @throws IllegalArgumentException if a trial fits no job
     */
    public static JobSchedule plan(Workload workload, ImmutableIntArray trials, int devices) {
        DecomposedThroughput throughput = new DecomposedThroughput(workload);
        PriorityQueue<PlannedJob> running = new PriorityQueue<>(Comparator.comparingDouble(PlannedJob::end));
        List<PlannedJob> planned = new ArrayList<>();
        ImmutableIntArray waiting = trials;
        double now = 0;
        int free = devices;
        while (waiting.stream().anyMatch(count -> count > 0)) {
            for (Job job : throughput.jobs(free, waiting)) {
                PlannedJob started = new PlannedJob(job.devices(), job.pack(), now);
                planned.add(started);
                running.add(started);
                free -= job.devices();
                waiting = DecomposedThroughput.less(waiting, job.pack().counts());
            }
            PlannedJob next = running.poll();
            if (next == null) {
                throw new IllegalArgumentException(
                        "Trials (%s, by kind) fit no job on (%d) devices.".formatted(waiting, devices));
            }
            now = next.end();
            free += next.devices();
            while (!running.isEmpty() && running.peek().end() <= now) {
                free += running.remove().devices();
            }
        }
        return new JobSchedule(planned, devices);
    }

    /**
     * Jobs for devices that are free now.
     *
     * @param waiting trials of each kind
     * @return none if nothing fits
     */
    public static List<PlannedJob> next(Workload workload, ImmutableIntArray waiting, int free) {
        return new DecomposedThroughput(workload)
                .jobs(free, waiting).stream()
                        .map(job -> new PlannedJob(job.devices(), job.pack(), 0))
                        .toList();
    }
}
