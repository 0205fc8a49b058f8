package io.plora.examples;

import io.plora.LoraSweep;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.MinGpu;
import io.plora.plan.PackingPolicy;
import io.plora.plan.SweepPlan;
import io.plora.report.GanttChart;
import io.plora.space.SearchSpace;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Looks before it leaps: who would train with whom, packed and each alone (PLoRA's baseline Min GPU). Trains nothing. */
@Command(name = "plan-only", mixinStandardHelpOptions = true, description = "Plans a sweep without training.")
final class PlanOnly implements Callable<Integer> {
    private static final SearchSpace SPACE =
            SearchSpace.grid().rank(8, 16, 32).learningRate(2e-4, 1e-3).batchSize(1, 4);

    @Option(names = "--chart", description = "also draw both plans as a Gantt chart into this .svg or .png file")
    private @Nullable Path chart;

    public static void main(String[] arguments) {
        CommandLines.main(new PlanOnly(), arguments);
    }

    @Override
    public Integer call() {
        SweepPlan packed = plan(new ContinuousPacking());
        SweepPlan alone = plan(new MinGpu());
        System.out.println(packed.toText());
        System.out.printf(
                "Alone the same %,d tokens would take %,d passes of the base model instead of %,d.%n",
                alone.tokens(), alone.iterations(), packed.iterations());
        if (chart != null) {
            draw(new GanttChart(SPACE.configs(), List.of(packed, alone)), chart);
        }
        return 0;
    }

    private static void draw(GanttChart chart, Path file) {
        if (file.toString().endsWith(".png")) {
            chart.writePng(file);
        } else {
            chart.writeSvg(file);
        }
    }

    static SweepPlan plan(PackingPolicy policy) {
        return LoraSweep.builder()
                .withBaseModel(ExampleFiles.model())
                .withTrainingData(ExampleFiles.problems("train.jsonl"))
                .withValidationData(ExampleFiles.problems("validation.jsonl"))
                .withSpace(SPACE)
                .withPolicy(policy)
                .withOutput(Path.of("sweep-planned"))
                .build()
                .plan();
    }
}
