package io.plora.examples.benchmark;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.plora.LoraSweep;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.data.Sample;
import io.plora.data.TrainingData;
import io.plora.execute.ComputeDevice;
import io.plora.plan.PackingPolicy;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** One sweep under a policy; its iterations are timed: forward, backward and optimizer, without validation and saving. */
final class TimedSweep implements SweepListener {
    private double seconds;
    private long iterations;

    private TimedSweep() {}

    /** Seconds and number of iterations. */
    record Time(double seconds, long iterations) {}

    static Time run(
            Path model, List<LoraConfig> configs, List<Sample> samples, PackingPolicy policy, ComputeDevice device)
            throws IOException {
        TimedSweep listener = new TimedSweep();
        Path output = Files.createTempDirectory("plora-benchmark");
        try {
            LoraSweep.builder()
                    .withBaseModel(model)
                    .withTrainingData(TrainingData.ofSamples(samples))
                    .withValidationData(TrainingData.ofSamples(samples.subList(0, 1)))
                    .withSpace(SearchSpace.of(configs))
                    .withPolicy(policy)
                    .withDevice(device)
                    .withOutput(output)
                    .withListener(listener)
                    .build()
                    .run();
        } finally {
            MoreFiles.deleteRecursively(output, RecursiveDeleteOption.ALLOW_INSECURE);
        }
        return new Time(listener.seconds, listener.iterations);
    }

    @Override
    public void stepCompleted(StepEvent event) {
        seconds += event.seconds();
        iterations++;
    }
}
