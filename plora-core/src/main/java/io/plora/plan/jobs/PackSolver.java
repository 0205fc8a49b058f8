package io.plora.plan.jobs;

import io.plora.plan.jobs.PackModel.Solution;
import io.plora.plan.jobs.ThroughputProblem.JobPhase;

/**
 * Solves F(d, K), the true fractional objective, by Dinkelbach's method (1967) with CP-SAT: a pack of throughput lambda is the
 * best if and only if no pack has {@code (sum of ranks) - lambda T > 0}. T bends where an iteration turns from memory-bound to
 * compute-bound; CP-SAT sees it through tangents, and each pack that it proposes adds those that it lacked (Kelley's cutting
 * planes, 1960).
 *
 * <p>What is exact: memory and ranks; T of the pack returned; and, if the time model is convex in the work, that no pack has
 * more than the bound, which is within 0.001% of the pack's own throughput unless the solver's deterministic limit
 * ended the proof. What is not: where the time model is not convex, a better pack may hide between tangents, and the bound
 * does not hold. Equal problems have equal solutions: one worker, a fixed seed, no clock.
 */
public final class PackSolver {
    /** How far from the best a pack may be, as part of its throughput. */
    static final double TOLERANCE = 1e-5;

    private static final int MOST_ROUNDS = 60;

    private PackSolver() {}

    /**
     * What the solver found.
     *
     * @param pack the best pack; empty if memory holds no member
     * @param bound rank a second that no pack exceeds
     */
    public record Solved(Pack pack, double bound) {}

    /** Finds the best pack. */
    public static Solved solve(ThroughputProblem problem) {
        PackSearch search = new PackSearch(problem);
        int[] best = search.search();
        if (problem.rank(best) == 0) {
            return new Solved(Pack.of(problem, best), 0);
        }
        TimeCuts cuts = new TimeCuts(problem::iterationSeconds);
        addCuts(problem, cuts, best);
        double excess = Double.POSITIVE_INFINITY;
        for (int round = 0; round < MOST_ROUNDS; round++) {
            double lambda = problem.throughput(best);
            Solution solution = new PackModel(problem, cuts, best, lambda).solve(TOLERANCE / 4);
            excess = Math.max(0, solution.bound());
            if (excess <= TOLERANCE * problem.rank(best)) {
                break;
            }
            boolean cutOff = addCuts(problem, cuts, solution.counts());
            if (problem.throughput(solution.counts()) > lambda) {
                best = search.improve(solution.counts());
            } else if (!cutOff) {
                break;
            }
        }
        return new Solved(Pack.of(problem, best), problem.throughput(best) + excess / shortestJob(problem));
    }

    /** Whether there were tangents to add. */
    private static boolean addCuts(ThroughputProblem problem, TimeCuts cuts, int[] counts) {
        boolean added = false;
        for (JobPhase phase : problem.phases()) {
            if (phase.active().stream().anyMatch(kind -> counts[kind] > 0)) {
                added |= cuts.addAt(problem.work(phase, counts));
            }
        }
        return added;
    }

    /** No job takes less time than its shortest member alone. */
    private static double shortestJob(ThroughputProblem problem) {
        double shortest = Double.POSITIVE_INFINITY;
        for (int kind = 0; kind < problem.kinds().size(); kind++) {
            if (problem.most(kind) > 0) {
                int[] alone = new int[problem.kinds().size()];
                alone[kind] = 1;
                shortest = Math.min(shortest, problem.seconds(alone));
            }
        }
        return shortest;
    }
}
