package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.MemoryModel;
import io.plora.cost.PeftTime;
import io.plora.cost.RooflineTime;
import io.plora.cost.SequentialTime;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.DtmPacking;
import io.plora.plan.GreedyPacking;
import io.plora.plan.MaxGpu;
import io.plora.plan.MinGpu;
import io.plora.plan.PackingPolicy;
import io.plora.plan.SequentialPlora;
import io.plora.plan.SweepPlan;
import io.plora.plan.SweepPlan.GroupPlan;
import io.plora.plan.jobs.JobSchedule;
import io.plora.plan.jobs.OptimalPacking;
import io.plora.plan.jobs.OptimalPacking.Optimum;
import io.plora.plan.jobs.OptimalPacking.PackedTrial;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** One sweep under every policy, each with the activation policy with which it is fastest: a row for each. */
final class PlannerRows {
    static final String CONTINUOUS = new ContinuousPacking().name();
    static final String DTM = new DtmPacking().name();

    private static final String MIN_GPU = new MinGpu().name();
    private static final String SEQUENTIAL = new SequentialPlora((work, degree) -> 1).name();

    private static final List<PackingPolicy> POLICIES =
            List.of(new MinGpu(), new MaxGpu(), new DtmPacking(), new ContinuousPacking());

    /** Configurations of which the optimum is found in seconds. */
    private static final int MOST_FOR_OPTIMUM = 5;

    private final PlannerSetting setting;
    private final List<Outcome> outcomes = new ArrayList<>();
    private final List<Outcome> peft = new ArrayList<>();
    private final List<Optimum> optima = new ArrayList<>();

    /** What a policy makes of the sweep with an activation policy. */
    private record Outcome(String planner, ActivationPolicy activations, SweepPlan plan) {}

    private PlannerRows(PlannerSetting setting) {
        this.setting = setting;
    }

    /** @return none if a configuration does not fit */
    static List<ObjectNode> of(PlannerSetting setting) {
        PlannerRows rows = new PlannerRows(setting);
        setting.fitting().forEach(rows::plan);
        return rows.outcomes.stream()
                .map(Outcome::planner)
                .distinct()
                .map(planner -> rows.row(fastest(rows.outcomes, planner)))
                .toList();
    }

    private void plan(ActivationPolicy activations) {
        RooflineTime engine = setting.engine(activations);
        List<PackingPolicy> policies = new ArrayList<>(POLICIES);
        // decides anew in every iteration, on single devices: slow to plan, so only where there are few samples
        if (setting.ownOrders() && setting.fits(activations, 1)) {
            policies.add(new GreedyPacking());
        }
        policies.forEach(policy ->
                outcomes.add(new Outcome(policy.name(), activations, setting.run(policy, engine, activations))));
        outcomes.add(new Outcome(
                SEQUENTIAL,
                activations,
                setting.run(new SequentialPlora(engine), new SequentialTime(engine), activations)));
        peft.add(new Outcome(MIN_GPU, activations, setting.run(new MinGpu(), new PeftTime(engine), activations)));
        if (setting.cluster().size() == 1 && setting.configs().size() <= MOST_FOR_OPTIMUM) {
            optima.add(optimum(activations));
        }
    }

    private Optimum optimum(ActivationPolicy activations) {
        MemoryModel memory = setting.memory(activations);
        int[] samples = setting.samples();
        List<PackedTrial> trials = setting.configs().stream()
                .map(config -> new PackedTrial(
                        config.batchSize(),
                        samples.length,
                        MemoryModel.adapterParameters(setting.shape(), config),
                        samples[0],
                        memory.adapterBytes(config, 1),
                        samples[0] * memory.tokenBytes(config, 1)))
                .toList();
        return OptimalPacking.of(trials, setting.deviceBytes() - memory.baseBytes(1), setting.engine(activations), 1);
    }

    private static Outcome fastest(List<Outcome> outcomes, String planner) {
        return outcomes.stream()
                .filter(outcome -> outcome.planner().equals(planner))
                .min(Comparator.comparingDouble(outcome -> outcome.plan().makespan()))
                .orElseThrow();
    }

    /** The lowest of all activation policies' bounds, so that it holds whichever is chosen. */
    private double bound() {
        return outcomes.stream()
                .filter(outcome -> !outcome.planner().equals(SEQUENTIAL))
                .mapToDouble(outcome -> outcome.plan().bound().seconds())
                .min()
                .orElseThrow();
    }

    private ObjectNode row(Outcome outcome) {
        SweepPlan plan = outcome.plan();
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("model", setting.model());
        row.put("cluster", setting.clusterName());
        row.put("configs", setting.configs().size());
        row.put("lengths", setting.lengths());
        row.put("planner", outcome.planner());
        row.put("activations", outcome.activations().name());
        row.put("makespan_s", rounded(plan.makespan()));
        row.put("vs_min_gpu", rounded(fastest(outcomes, MIN_GPU).plan().makespan() / plan.makespan()));
        row.put("vs_dtm", rounded(fastest(outcomes, DTM).plan().makespan() / plan.makespan()));
        row.put("vs_peft", rounded(fastest(peft, MIN_GPU).plan().makespan() / plan.makespan()));
        row.put("lower_bound_s", rounded(bound()));
        row.put("gap", rounded(plan.makespan() / bound() - 1));
        if (!optima.isEmpty()) {
            row.put("optimum_least_s", rounded(least(Optimum::least)));
            row.put("optimum_s", rounded(least(Optimum::reachable)));
        }
        row.put("theorem_d1", outcome.planner().equals(CONTINUOUS) ? null : ratio(plan));
        row.put("groups", plan.groups().size());
        row.put("plan_ms", rounded(plan.planMillis()));
        return row;
    }

    private double least(ToDoubleFunction<Optimum> seconds) {
        return optima.stream().mapToDouble(seconds).min().orElseThrow();
    }

    /** Theorem D.1's approximation ratio, for static jobs. */
    private @Nullable Double ratio(SweepPlan plan) {
        GroupPlan last = plan.groups().stream()
                .max(Comparator.comparingDouble(GroupPlan::end).thenComparingDouble(GroupPlan::start))
                .orElseThrow();
        return rounded(JobSchedule.approximationRatio(
                plan.makespan(),
                last.end() - last.start(),
                last.devices().size(),
                setting.cluster().size()));
    }

    /** To four digits. */
    static double rounded(double value) {
        return Double.parseDouble(String.format(Locale.ROOT, "%.4g", value));
    }
}
