package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.plora.LoraSweep;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.cost.Calibration;
import io.plora.data.EncodingContext;
import io.plora.data.Sample;
import io.plora.data.TooLong;
import io.plora.data.TrainingData;
import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import io.plora.model.BaseModel;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.OneByOne;
import io.plora.plan.PackingPolicy;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Predicted against measured on this machine's CPU: a sweep calibrates the time model, then two sweeps of other configurations
 * on other samples are planned with that calibration and run, packed and one by one.
 *
 * <p>{@code held_out_error} is that of single iterations of the first sweep, each predicted by a fit to the others (mean of |predicted
 * / measured - 1|); {@code predicted_s} and {@code nominal_s} are the plan's makespan with and without the calibration, {@code
 * measured_s} the sum of all iterations (forward, backward, optimizer).
 */
@Command(
        name = "CalibrationBenchmark",
        mixinStandardHelpOptions = true,
        description = "Compares predicted with measured times of sweeps.")
public final class CalibrationBenchmark implements Callable<Integer> {
    private static final SearchSpace MEASURED =
            SearchSpace.grid().rank(8, 64).learningRate(2e-4, 1e-3).batchSize(1, 4);
    private static final SearchSpace PREDICTED =
            SearchSpace.grid().rank(16, 32).learningRate(4e-4).batchSize(1, 2, 8);

    @Option(names = "--samples", description = "samples that each sweep trains on (default: ${DEFAULT-VALUE})")
    private int samples = 100;

    @Mixin
    private ResultRows results = new ResultRows("calibration.jsonl");

    public static void main(String[] arguments) {
        CommandLines.main(new CalibrationBenchmark(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        List<Sample> problems = problems();
        List<Sample> others = problems.subList(samples, 2 * samples);
        Path folder = Files.createTempDirectory("plora-benchmark");
        try {
            Path output = folder.resolve("calibrated");
            measure(sweep(MEASURED, problems.subList(0, samples), output, new ContinuousPacking(), null));
            Calibration calibration = Calibration.load(output.resolve("calibration.json"));
            for (PackingPolicy policy : List.of(new ContinuousPacking(), new OneByOne())) {
                results.add(row(calibration, others, folder.resolve(policy.name()), policy));
            }
        } finally {
            MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
        }
        return 0;
    }

    private List<Sample> problems() {
        try (BaseModel model = BaseModel.open(ExampleFiles.model())) {
            EncodingContext context = EncodingContext.of(model, model.config().maxPositions(), TooLong.REFUSE);
            return ExampleFiles.problems("train.jsonl").load(context).samples();
        }
    }

    private static LoraSweep.Builder sweep(
            SearchSpace space,
            List<Sample> samples,
            Path output,
            PackingPolicy policy,
            @Nullable Calibration calibration) {
        LoraSweep.Builder sweep = LoraSweep.builder()
                .withBaseModel(ExampleFiles.model())
                .withTrainingData(TrainingData.ofSamples(samples))
                .withValidationData(TrainingData.ofSamples(samples.subList(0, 1)))
                .withSpace(space)
                .withPolicy(policy)
                .withOutput(output);
        return calibration == null ? sweep : sweep.withCalibration(calibration);
    }

    /** Runs a sweep; seconds of all its iterations. */
    private static double measure(LoraSweep.Builder sweep) {
        double[] seconds = {0};
        sweep.withListener(new SweepListener() {
                    @Override
                    public void stepCompleted(StepEvent event) {
                        seconds[0] += event.seconds();
                    }
                })
                .build()
                .run();
        return seconds[0];
    }

    private ObjectNode row(Calibration calibration, List<Sample> trained, Path output, PackingPolicy policy) {
        double nominal =
                sweep(PREDICTED, trained, output, policy, null).build().plan().makespan();
        double predicted = sweep(PREDICTED, trained, output, policy, calibration)
                .build()
                .plan()
                .makespan();
        double measured = measure(sweep(PREDICTED, trained, output, policy, calibration));
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("bench", "calibration");
        row.put("model", "tiny-qwen2");
        row.put("policy", policy.name());
        row.put("configs", PREDICTED.configs().size());
        row.put("samples", trained.size());
        row.put("rows", calibration.rows());
        row.put("held_out_error", rounded(calibration.heldOutError()));
        row.put("worst_held_out_error", rounded(calibration.worstHeldOutError()));
        row.put("predicted_s", rounded(predicted));
        row.put("nominal_s", rounded(nominal));
        row.put("measured_s", rounded(measured));
        row.put("error", rounded(predicted / measured - 1));
        row.put(
                "load_average",
                rounded(ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage()));
        return row;
    }

    private static double rounded(double value) {
        return Math.round(value * 1000) / 1000.0;
    }
}
