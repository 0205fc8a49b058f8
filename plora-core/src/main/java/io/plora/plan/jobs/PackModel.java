package io.plora.plan.jobs;

import com.google.ortools.Loader;
import com.google.ortools.sat.CpModel;
import com.google.ortools.sat.CpSolver;
import com.google.ortools.sat.CpSolverStatus;
import com.google.ortools.sat.IntVar;
import com.google.ortools.sat.LinearExpr;
import com.google.ortools.sat.LinearExprBuilder;
import com.google.ortools.sat.SatParameters;
import io.plora.plan.jobs.ThroughputProblem.JobPhase;
import io.plora.plan.jobs.TimeCuts.Cut;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The linear part of F(d, K) for CP-SAT: maximise (sum of ranks) - lambda T, where T is bounded from below by tangents.
 *
 * <p>Integers: x_k members of kind k, and for each phase p of n iterations whether it has a member, y_p, and what it costs,
 * {@code t_p >= lambda n (constant y_p + slope . sum of x_k w_k over its kinds)} for every tangent. Costs are rounded down, so
 * that the maximum found is never below the true one by more than one in {@value #UNITS} for each kind and phase.
 */
final class PackModel {
    /** What the rank of the pack that is known is scaled to. */
    private static final double UNITS = 1e9;

    private static final double DETERMINISTIC_LIMIT = 2;

    static {
        Loader.loadNativeLibraries();
    }

    private final ThroughputProblem problem;
    private final double lambda;
    private final double scale;
    private final CpModel model = new CpModel();
    private final @Nullable IntVar[] members;
    private final LinearExprBuilder objective = LinearExpr.newBuilder();

    /**
     * @param known a pack
     * @param lambda its throughput
     */
    PackModel(ThroughputProblem problem, TimeCuts cuts, int[] known, double lambda) {
        this.problem = problem;
        this.lambda = lambda;
        scale = UNITS / problem.rank(known);
        members = new IntVar[known.length];
        addMembers(known);
        for (JobPhase phase : problem.phases()) {
            addPhase(phase, cuts.cuts());
        }
        model.maximize(objective);
    }

    /**
     * @param counts of the best pack found
     * @param bound {@code (sum of ranks) - lambda T} that no pack exceeds, as far as tangents tell
     */
    record Solution(int[] counts, double bound) {}

    /** @param tolerance how far the solution may be from the best, as part of the known pack's rank */
    Solution solve(double tolerance) {
        CpSolver solver = new CpSolver();
        SatParameters.Builder parameters = solver.getParameters();
        parameters.setNumWorkers(1).setRandomSeed(1).setMaxDeterministicTime(DETERMINISTIC_LIMIT);
        parameters.setAbsoluteGapLimit(tolerance * UNITS).setRelativeGapLimit(0);
        CpSolverStatus status = solver.solve(model);
        boolean found = status == CpSolverStatus.OPTIMAL || status == CpSolverStatus.FEASIBLE;
        if (status == CpSolverStatus.MODEL_INVALID || status == CpSolverStatus.INFEASIBLE) {
            throw new IllegalStateException("The solver calls the choice of a job's members (%s).".formatted(status));
        }
        int[] counts = new int[members.length];
        for (int kind = 0; kind < counts.length && found; kind++) {
            IntVar variable = members[kind];
            counts[kind] = variable == null ? 0 : (int) solver.value(variable);
        }
        return new Solution(counts, solver.bestObjectiveBound() / scale);
    }

    private void addMembers(int[] known) {
        LinearExprBuilder bytes = LinearExpr.newBuilder();
        LinearExprBuilder tokens = LinearExpr.newBuilder();
        for (int kind = 0; kind < members.length; kind++) {
            if (problem.most(kind) > 0) {
                MemberKind added = problem.kinds().get(kind);
                IntVar variable = model.newIntVar(0, problem.most(kind), "members of kind " + kind);
                members[kind] = variable;
                bytes.addTerm(variable, added.bytes());
                tokens.addTerm(variable, added.tokens());
                objective.addTerm(variable, Math.round(added.rank() * scale));
                model.addHint(variable, known[kind]);
            }
        }
        model.addLessOrEqual(bytes, problem.memoryBytes());
        model.addLessOrEqual(tokens, problem.tokenBudget());
    }

    private void addPhase(JobPhase phase, List<Cut> cuts) {
        // dearer than all ranks together is no use to anybody
        long dearest = (long) Math.ceil(IntStream.range(0, members.length)
                .mapToDouble(kind ->
                        scale * problem.most(kind) * problem.kinds().get(kind).rank())
                .sum());
        IntVar begun = model.newBoolVar("phase begun");
        IntVar cost = model.newIntVar(0, dearest, "phase cost");
        objective.addTerm(cost, -1);
        List<IntVar> active = new ArrayList<>();
        for (int kind : phase.active().toArray()) {
            IntVar variable = members[kind];
            if (variable != null) {
                active.add(variable);
                model.addLessOrEqual(variable, LinearExpr.term(begun, problem.most(kind)));
            }
        }
        for (Cut cut : cuts) {
            LinearExprBuilder least = LinearExpr.newBuilder();
            double factor = scale * lambda * phase.iterations();
            least.addTerm(begun, (long) Math.floor(factor * cut.constant()));
            for (int i = 0; i < active.size(); i++) {
                MemberKind kind = problem.kinds().get(phase.active().get(i));
                least.addTerm(active.get(i), (long) Math.floor(factor * cut.slopeTimes(kind.work())));
            }
            model.addGreaterOrEqual(cost, least);
        }
    }
}
