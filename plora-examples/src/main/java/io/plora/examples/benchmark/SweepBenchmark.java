package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.examples.CommandLines;
import io.plora.plan.PackingPolicy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * The same whole sweep live on this machine under one policy after the other: one epoch of every configuration, see
 * {@link LiveSweep}.
 *
 * <p>{@code measured_s} is the wall time of the whole call, with loading the base model, evaluating each adapter on one sample
 * and saving it: {@code to_first_step_s} before the first iteration begins, {@code iterations_s} in iterations. {@code makespan_s}
 * is the same; where only one configuration of each kind was trained, what came after the first iteration began is multiplied,
 * while all else counts what was trained. {@code planned_s} is what the policy's plan of the whole sweep takes by the time model,
 * iterations alone. A short sweep under each policy before warms the JVM and the device up.
 */
@Command(
        name = "SweepBenchmark",
        mixinStandardHelpOptions = true,
        description = "Runs the same sweep under several policies.",
        sortOptions = false)
public final class SweepBenchmark implements Callable<Integer> {
    private static final int WARM_UP_SAMPLES = 32;

    @Mixin
    private SweepSetting setting = new SweepSetting();

    @Option(
            names = "--policies",
            split = ",",
            description = "of ${COMPLETION-CANDIDATES}, in this order (default: all)")
    private List<SweepPolicy> policies = List.of(SweepPolicy.values());

    @Option(names = "--dtm-plan", description = "DTM's plan, written by SweepPlanFile (default: it is made here)")
    private @Nullable Path dtmPlan;

    @Option(
            names = "--alone-one-of-each",
            description =
                    "under Min GPU train one of the configurations that differ in alpha, learning rate or seed only, and extrapolate")
    private boolean oneOfEach;

    @Option(names = "--scratch", description = "where outputs lie while their sweep runs (default: ${DEFAULT-VALUE})")
    private Path scratch = Path.of(System.getProperty("java.io.tmpdir"));

    @Mixin
    private ResultRows results = new ResultRows("sweep-h100.jsonl");

    public static void main(String[] arguments) {
        CommandLines.main(new SweepBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        LiveSweep sweep = setting.sweep(scratch);
        warmUp(sweep);
        for (SweepPolicy policy : policies) {
            double planned = sweep.planned(policy.open(dtmPlan));
            PackingPolicy opened = policy.open(dtmPlan);
            LiveSweep trained = oneOfEach && policy == SweepPolicy.MIN_GPU ? sweep.oneOfEach() : sweep;
            results.add(row(sweep, opened.name(), planned, trained, trained.run(opened)), sweep.device());
        }
        return 0;
    }

    private static void warmUp(LiveSweep sweep) throws IOException {
        LiveSweep shortened = sweep.shortened(WARM_UP_SAMPLES);
        for (SweepPolicy policy : List.of(SweepPolicy.CONTINUOUS, SweepPolicy.MIN_GPU)) {
            shortened.run(policy.open(null));
        }
    }

    /** @param trained all of the sweep, or one configuration of each kind to extrapolate from */
    private ObjectNode row(
            LiveSweep sweep, String policy, double planned, LiveSweep trained, LiveSweep.Outcome outcome) {
        double share = (double) trained.configs().size() / sweep.configs().size();
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("bench", "sweep");
        row.put("model", sweep.model().getFileName().toString());
        row.put("parameters", sweep.parameters());
        row.put("policy", policy);
        row.put("configs", sweep.configs().size());
        row.put("trained_configs", trained.configs().size());
        row.put("samples", sweep.samples().size());
        row.put("mean_tokens", rounded(sweep.meanTokens()));
        row.put("tokenizer_vocabulary", sweep.vocabularySize());
        row.put("validation_samples", LiveSweep.VALIDATION_SAMPLES);
        row.put("makespan_s", rounded(outcome.secondsOfWhole(share)));
        row.put("extrapolated", share < 1);
        row.put("measured_s", rounded(outcome.seconds()));
        row.put("to_first_step_s", rounded(outcome.secondsToFirstStep()));
        row.put("iterations_s", rounded(outcome.iterationSeconds()));
        row.put("planned_s", rounded(planned));
        row.put("iterations", outcome.iterations());
        row.put("optimizer_steps", outcome.steps());
        row.put("tokens", outcome.tokens());
        row.put("tokens_per_s", Math.round(outcome.tokens() / outcome.seconds()));
        row.put("adapters_together", rounded(outcome.adaptersTogether()));
        row.put("most_together", outcome.mostTogether());
        row.put("adapters_gib", rounded(outcome.adapterBytes() / (double) (1L << 30)));
        return row;
    }

    private static double rounded(double value) {
        return Math.round(value * 1000) / 1000.0;
    }
}
