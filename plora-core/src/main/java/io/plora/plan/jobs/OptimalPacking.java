package io.plora.plan.jobs;

import com.google.common.collect.ImmutableList;
import com.google.ortools.Loader;
import com.google.ortools.linearsolver.MPConstraint;
import com.google.ortools.linearsolver.MPSolver;
import com.google.ortools.linearsolver.MPVariable;
import io.plora.cost.GroupTime;
import io.plora.cost.GroupWork;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * The shortest continuous packing of a few trials on one group of devices, by a linear program over all patterns: a pattern says
 * how many samples of each trial an iteration takes, a variable how many iterations have it. Iterations may follow one
 * another in any order, trials may pause, so that nothing but memory restricts a pattern. With its help one sees on small
 * instances how much of a schedule's gap is the schedule's and how much the lower bound's; the number of patterns is the product
 * of the batch sizes.
 */
public final class OptimalPacking {
    /** Most patterns. */
    public static final int MOST_PATTERNS = 50_000;

    static {
        Loader.loadNativeLibraries();
    }

    private final List<PackedTrial> trials;
    private final long memoryBytes;
    private final GroupTime time;
    private final int degree;
    private final MPSolver solver = MPSolver.createSolver("GLOP");
    private final List<MPConstraint> samples = new ArrayList<>();
    private final List<MPVariable> iterations = new ArrayList<>();
    private final List<Double> seconds = new ArrayList<>();

    private OptimalPacking(List<PackedTrial> trials, long memoryBytes, GroupTime time, int degree) {
        this.trials = ImmutableList.copyOf(trials);
        this.memoryBytes = memoryBytes;
        this.time = time;
        this.degree = degree;
    }

    /**
     * A trial whose samples are all alike.
     *
     * @param batchSize a power of two
     * @param samples a multiple of the batch size
     * @param parameters of its adapter
     * @param tokens of a sample
     * @param adapterBytes on each device
     * @param sampleBytes on each device, of one sample in an iteration
     */
    public record PackedTrial(
            int batchSize, long samples, long parameters, int tokens, long adapterBytes, long sampleBytes) {
        public PackedTrial {
            if (Integer.bitCount(batchSize) != 1 || samples < 1 || samples % batchSize != 0) {
                throw new IllegalArgumentException(
                        "Batch size (%d) must be a power of two, samples (%d) a multiple of it."
                                .formatted(batchSize, samples));
            }
        }

        GroupWork work(int share) {
            double pairs = 0.5 * tokens * (tokens + 1.0);
            return GroupWork.of(parameters, (double) share * tokens, share, share * pairs, (double) share / batchSize);
        }
    }

    /**
     * What the optimum lies between.
     *
     * @param least no packing takes less: an iteration may take any part of a batch, and whether parts make up batches is left
     *     open
     * @param reachable some packing takes no more: parts are powers of two, which always make up batches, and iterations are
     *     whole
     */
    public record Optimum(double least, double reachable) {}

    /**
     * Bounds the seconds that all trials need.
     *
     * @param memoryBytes what members and their samples may hold on each device
     * @param time of an iteration, affine in the parameters stepped
     * @param degree devices of the group
     * @throws IllegalArgumentException if there are more than {@link #MOST_PATTERNS} patterns, or a trial does not fit
     */
    public static Optimum of(List<PackedTrial> trials, long memoryBytes, GroupTime time, int degree) {
        double patterns =
                trials.stream().mapToDouble(trial -> trial.batchSize() + 1).reduce(1, (a, b) -> a * b);
        if (patterns > MOST_PATTERNS) {
            throw new IllegalArgumentException(
                    "Patterns (%.0f) are more than can be tried (%d). Maybe take fewer trials or smaller batches."
                            .formatted(patterns, MOST_PATTERNS));
        }
        OptimalPacking anyPart = new OptimalPacking(trials, memoryBytes, time, degree);
        anyPart.solve(share -> true);
        OptimalPacking powers = new OptimalPacking(trials, memoryBytes, time, degree);
        powers.solve(share -> Integer.bitCount(share) == 1);
        return new Optimum(anyPart.solver.objective().value(), powers.wholeIterations());
    }

    private void solve(IntPredicate isPart) {
        for (PackedTrial trial : trials) {
            samples.add(solver.makeConstraint(trial.samples(), trial.samples()));
        }
        solver.objective().setMinimization();
        addPatterns(new int[trials.size()], 0, memoryBytes, isPart);
        if (solver.solve() != MPSolver.ResultStatus.OPTIMAL) {
            throw new IllegalArgumentException("A trial does not fit into memory (%d bytes).".formatted(memoryBytes));
        }
    }

    private void addPatterns(int[] shares, int trial, long freeBytes, IntPredicate isPart) {
        if (trial == shares.length) {
            add(shares);
            return;
        }
        PackedTrial added = trials.get(trial);
        addPatterns(shares, trial + 1, freeBytes, isPart);
        for (int share = 1; share <= added.batchSize(); share++) {
            long bytes = added.adapterBytes() + share * added.sampleBytes();
            if (isPart.test(share) && bytes <= freeBytes) {
                shares[trial] = share;
                addPatterns(shares, trial + 1, freeBytes - bytes, isPart);
            }
        }
        shares[trial] = 0;
    }

    private void add(int[] shares) {
        GroupWork work = GroupWork.NONE;
        for (int trial = 0; trial < shares.length; trial++) {
            if (shares[trial] > 0) {
                work = work.plus(trials.get(trial).work(shares[trial]));
            }
        }
        if (work.equals(GroupWork.NONE)) {
            return;
        }
        MPVariable variable = solver.makeNumVar(0, MPSolver.infinity(), "");
        for (int trial = 0; trial < shares.length; trial++) {
            if (shares[trial] > 0) {
                samples.get(trial).setCoefficient(variable, shares[trial]);
            }
        }
        double cost = time.seconds(work, degree);
        solver.objective().setCoefficient(variable, cost);
        iterations.add(variable);
        seconds.add(cost);
    }

    /** Seconds if each pattern's iterations are rounded up: what is too much of a trial can be left out of some of them. */
    private double wholeIterations() {
        double total = 0;
        for (int pattern = 0; pattern < iterations.size(); pattern++) {
            total += Math.ceil(iterations.get(pattern).solutionValue() - 1e-6) * seconds.get(pattern);
        }
        return total;
    }
}
