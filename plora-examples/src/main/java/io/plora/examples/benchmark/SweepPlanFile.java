package io.plora.examples.benchmark;

import io.plora.examples.CommandLines;
import io.plora.plan.DtmPacking;
import io.plora.plan.SweepPlan;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Writes DTM's plan of {@link SweepBenchmark}'s sweep as a journal, for a GPU host that lacks DTM's solver to replay. DTM plans
 * by predicted times, so its jobs are the same wherever they are planned, for the same GPU and the same memory.
 */
@Command(
        name = "SweepPlanFile",
        mixinStandardHelpOptions = true,
        description = "Writes DTM's plan of a sweep, for SweepBenchmark --dtm-plan.",
        sortOptions = false)
public final class SweepPlanFile implements Callable<Integer> {
    @Mixin
    private SweepSetting setting = new SweepSetting();

    @Option(
            names = "--gpu",
            description = "plan for a GPU that is not here, by what its driver calls it: \"NVIDIA H100 80GB HBM3\"")
    private @Nullable String gpu;

    @Parameters(paramLabel = "FILE", description = "the journal; must not exist")
    private Path file = Path.of("");

    public static void main(String[] arguments) {
        CommandLines.main(new SweepPlanFile(), arguments);
    }

    @Override
    public Integer call() {
        Path scratch = file.toAbsolutePath().getParent();
        LiveSweep sweep = gpu == null ? setting.sweep(scratch) : setting.sweep(scratch, gpu);
        SweepPlan plan = sweep.savePlan(new DtmPacking(), file);
        System.out.println(plan.toText());
        return 0;
    }
}
