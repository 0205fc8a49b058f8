package io.plora.plan.jobs;

import com.google.common.collect.ImmutableList;
import java.util.Comparator;
import java.util.List;

/**
 * Static jobs over time.
 *
 * @param jobs in the order in which they start
 * @param devices of the cluster
 */
public record JobSchedule(List<PlannedJob> jobs, int devices) {

    public JobSchedule {
        jobs = ImmutableList.copyOf(jobs);
    }

    /**
     * A job.
     *
     * @param devices how many it has
     * @param pack its members
     * @param start seconds after the sweep's
     */
    public record PlannedJob(int devices, Pack pack, double start) {

        public double end() {
            return start + pack.seconds();
        }
    }

    /** Seconds until the last job ends. */
    public double makespan() {
        return jobs.stream().mapToDouble(PlannedJob::end).max().orElse(0);
    }

    /** Seconds that all jobs would take on all devices if none were ever idle. */
    public double evenSeconds() {
        return jobs.stream()
                        .mapToDouble(job -> job.devices() * job.pack().seconds())
                        .sum()
                / devices;
    }

    /**
     * PLoRA's theorem D.1: {@code F / (F - T_last (G - D) / G)}, F the makespan, G the devices, T_last and D the duration and the
     * devices of the job that ends last. {@code makespan / evenSeconds} stays below it if no device is idle before that job
     * starts, as is the case where every trial fits on one device. It says how even these jobs are spread, not how far their
     * packs are from the best.
     */
    public double approximationRatio() {
        PlannedJob last = jobs.stream()
                .max(Comparator.comparingDouble(PlannedJob::end)
                        .thenComparingDouble(PlannedJob::start)
                        .thenComparingInt(PlannedJob::devices))
                .orElseThrow();
        return approximationRatio(makespan(), last.pack().seconds(), last.devices(), devices);
    }

    /**
     * Theorem D.1's ratio by its four numbers.
     *
     * @param makespan F
     * @param lastSeconds T_last
     * @param lastDevices D
     * @param devices G
     */
    public static double approximationRatio(double makespan, double lastSeconds, int lastDevices, int devices) {
        return makespan / (makespan - lastSeconds * (devices - lastDevices) / devices);
    }
}
