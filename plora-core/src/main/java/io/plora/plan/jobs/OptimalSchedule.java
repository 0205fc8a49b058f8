package io.plora.plan.jobs;

import com.google.common.primitives.ImmutableIntArray;
import com.google.ortools.Loader;
import com.google.ortools.sat.BoolVar;
import com.google.ortools.sat.CpModel;
import com.google.ortools.sat.CpSolver;
import com.google.ortools.sat.CpSolverStatus;
import com.google.ortools.sat.CumulativeConstraint;
import com.google.ortools.sat.IntVar;
import com.google.ortools.sat.LinearExpr;
import com.google.ortools.sat.LinearExprBuilder;
import com.google.ortools.sat.Literal;
import io.plora.plan.jobs.JobSchedule.PlannedJob;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * The shortest schedule of static jobs for a few trials: PLoRA's exact problem, by CP-SAT over all packs. With its help one
 * sees how far {@link JobPlanner} is from the best on small instances; the number of packs doubles with every trial.
 */
public final class OptimalSchedule {
    /** Most trials, so that there are at most 1,023 packs for each number of devices. */
    public static final int MOST_TRIALS = 10;

    /** Steps of time that the schedule to beat is cut into; durations are rounded up to them. */
    private static final long STEPS = 10_000;

    private static final double DETERMINISTIC_LIMIT = 20;

    static {
        Loader.loadNativeLibraries();
    }

    private final int trials;
    private final int devices;
    private final double step;
    private final CpModel model = new CpModel();
    private final IntVar makespan = model.newIntVar(0, STEPS + STEPS / 10, "makespan");
    private final List<PossibleJob> possible = new ArrayList<>();

    private OptimalSchedule(int trials, int devices, double knownMakespan) {
        this.trials = trials;
        this.devices = devices;
        step = knownMakespan / STEPS;
    }

    private record PossibleJob(int devices, Pack pack, long steps, BoolVar chosen, IntVar start) {}

    /**
     * The shortest schedule.
     *
     * @param workload one kind for each trial; each number of devices is twice the one before
     * @param known a schedule of the same trials and devices
     * @throws IllegalArgumentException if there are more than {@link #MOST_TRIALS} trials
     * @throws IllegalStateException if the solver's limit ends the search before it is proven the shortest
     */
    public static JobSchedule plan(Workload workload, JobSchedule known) {
        int trials = workload.degrees().get(0).kinds().size();
        if (trials > MOST_TRIALS) {
            throw new IllegalArgumentException(
                    "Trials (%d) are more than the exact scheduler takes (%d).".formatted(trials, MOST_TRIALS));
        }
        OptimalSchedule schedule = new OptimalSchedule(trials, known.devices(), known.makespan());
        double[] narrower = new double[1 << trials];
        Arrays.fill(narrower, Double.POSITIVE_INFINITY);
        for (Workload.Degree degree : workload.degrees()) {
            if (degree.devices() <= known.devices()) {
                narrower = schedule.addJobs(workload, degree, narrower);
            }
        }
        schedule.addConstraints();
        return schedule.solve();
    }

    /**
     * Adds every pack that memory holds, unless its parts are done as soon one after the other, or side by side in jobs on half
     * the devices.
     *
     * @param halves shortest time of each set of trials on half the devices
     * @return shortest time of each set of trials on these
     */
    private double[] addJobs(Workload workload, Workload.Degree degree, double[] halves) {
        int[] ones = new int[trials];
        Arrays.fill(ones, 1);
        ThroughputProblem problem = workload.problem(degree, ImmutableIntArray.copyOf(ones));
        double[] shortest = new double[1 << trials];
        for (int subset = 1; subset < 1 << trials; subset++) {
            int[] counts = new int[trials];
            for (int trial = 0; trial < trials; trial++) {
                counts[trial] = subset >> trial & 1;
            }
            double apart = halves[subset];
            for (int part = subset - 1 & subset; part > 0; part = part - 1 & subset) {
                int rest = subset & ~part;
                apart = Math.min(apart, shortest[part] + shortest[rest]);
                apart = Math.min(apart, Math.max(halves[part], halves[rest]));
            }
            double together = problem.admits(counts) ? problem.seconds(counts) : Double.POSITIVE_INFINITY;
            shortest[subset] = Math.min(apart, together);
            if (together < apart) {
                addJob(degree.devices(), Pack.of(problem, counts));
            }
        }
        return shortest;
    }

    private void addJob(int jobDevices, Pack pack) {
        long steps = (long) Math.ceil(pack.seconds() / step);
        if (steps <= STEPS + STEPS / 10) {
            possible.add(new PossibleJob(
                    jobDevices,
                    pack,
                    steps,
                    model.newBoolVar("chosen"),
                    model.newIntVar(0, STEPS + STEPS / 10 - steps, "start")));
        }
    }

    private void addConstraints() {
        CumulativeConstraint busy = model.addCumulative(devices);
        LinearExprBuilder work = LinearExpr.newBuilder();
        for (PossibleJob job : possible) {
            busy.addDemand(
                    model.newOptionalFixedSizeIntervalVar(job.start(), job.steps(), job.chosen(), "job"),
                    job.devices());
            model.addGreaterOrEqual(
                            makespan, LinearExpr.newBuilder().add(job.start()).add(job.steps()))
                    .onlyEnforceIf(job.chosen());
            work.addTerm(job.chosen(), job.devices() * job.steps());
        }
        model.addGreaterOrEqual(LinearExpr.term(makespan, devices), work);
        for (int trial = 0; trial < trials; trial++) {
            int index = trial;
            model.addExactlyOne(possible.stream()
                    .filter(job -> job.pack().counts().get(index) == 1)
                    .map(PossibleJob::chosen)
                    .toArray(Literal[]::new));
        }
        model.minimize(makespan);
    }

    private JobSchedule solve() {
        CpSolver solver = new CpSolver();
        solver.getParameters().setNumWorkers(1).setRandomSeed(1).setMaxDeterministicTime(DETERMINISTIC_LIMIT);
        CpSolverStatus status = solver.solve(model);
        if (status != CpSolverStatus.OPTIMAL) {
            throw new IllegalStateException(
                    "The exact scheduler ended without a proof (%s, makespan at least %.6f). Maybe take fewer trials."
                            .formatted(status, solver.bestObjectiveBound() * step));
        }
        return new JobSchedule(
                possible.stream()
                        .filter(job -> solver.booleanValue(job.chosen()))
                        .map(job -> new PlannedJob(job.devices(), job.pack(), solver.value(job.start()) * step))
                        .sorted(Comparator.comparingDouble(PlannedJob::start))
                        .toList(),
                devices);
    }
}
