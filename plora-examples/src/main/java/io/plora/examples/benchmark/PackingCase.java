package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.math.Quantiles;
import io.plora.cost.MemoryModel;
import io.plora.data.Sample;
import io.plora.execute.ComputeDevice;
import io.plora.kernels.Kernels;
import io.plora.model.ModelConfig;
import io.plora.plan.GreedyPacking;
import io.plora.plan.OneByOne;
import io.plora.plan.PackingPolicy;
import io.plora.space.LoraConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The same configurations and samples, packed and one by one.
 *
 * @param name of the case
 * @param model shape of the base model
 * @param folder of the base model
 * @param configs all of one batch size
 * @param samples that each configuration trains on, once
 */
record PackingCase(String name, ModelConfig model, Path folder, List<LoraConfig> configs, List<Sample> samples) {
    private static final int WARM_UP_SAMPLES = 4;

    private static final PackingPolicy PACKED = new GreedyPacking();
    private static final PackingPolicy ALONE = new OneByOne();

    /** Runs both policies in turn and returns the case's row. */
    ObjectNode measure(ComputeDevice device, int repetitions) throws IOException {
        List<TimedSweep.Time> packed = new ArrayList<>();
        List<TimedSweep.Time> alone = new ArrayList<>();
        List<Double> peaks = new ArrayList<>();
        List<Sample> few = samples.subList(0, Math.min(WARM_UP_SAMPLES, samples.size()));
        run(few, PACKED, device);
        run(few, ALONE, device);
        for (int repetition = 0; repetition < repetitions; repetition++) {
            peaks.add(peak(device));
            boolean packedFirst = repetition % 2 == 0;
            if (packedFirst) {
                packed.add(run(samples, PACKED, device));
            }
            alone.add(run(samples, ALONE, device));
            if (!packedFirst) {
                packed.add(run(samples, PACKED, device));
            }
        }
        return row(packed, alone, peaks);
    }

    private TimedSweep.Time run(List<Sample> trained, PackingPolicy policy, ComputeDevice device) throws IOException {
        return TimedSweep.run(folder, configs, trained, policy, device);
    }

    private static double peak(ComputeDevice device) {
        try (Kernels kernels = device.open()) {
            return LargeProduct.gigaflops(kernels);
        }
    }

    private ObjectNode row(List<TimedSweep.Time> packed, List<TimedSweep.Time> alone, List<Double> peaks) {
        TrainingOperations operations = new TrainingOperations(model);
        double gigaflop = configs.stream()
                        .mapToDouble(config -> operations.of(config, samples))
                        .sum()
                / 1e9;
        double packedSeconds = median(packed);
        double aloneSeconds = median(alone);
        long tokens = samples.stream().mapToLong(Sample::rows).sum();
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("bench", "cpu-packing");
        row.put("case", name);
        row.put("parameters", MemoryModel.baseParameters(model));
        row.put("hidden", model.hiddenSize());
        row.put("configs", configs.size());
        row.put("batch_size", configs.get(0).batchSize());
        row.put("samples", samples.size());
        row.put("tokens", configs.size() * tokens);
        row.put("packed_s", rounded(packedSeconds));
        row.put("one_by_one_s", rounded(aloneSeconds));
        row.put("ratio", rounded(aloneSeconds / packedSeconds));
        row.put("packed_iterations", packed.get(0).iterations());
        row.put("one_by_one_iterations", alone.get(0).iterations());
        row.put("gflop", rounded(gigaflop));
        row.put("gflops_packed", rounded(gigaflop / packedSeconds));
        row.put("gflops_one_by_one", rounded(gigaflop / aloneSeconds));
        row.put("gflops_peak", rounded(Quantiles.median().compute(peaks)));
        row.put("repetitions", packed.size());
        row.set("packed_all_s", all(packed));
        row.set("one_by_one_all_s", all(alone));
        return row;
    }

    private static double median(List<TimedSweep.Time> times) {
        return Quantiles.median()
                .compute(times.stream().map(TimedSweep.Time::seconds).toList());
    }

    private static ArrayNode all(List<TimedSweep.Time> times) {
        ArrayNode seconds = JsonNodeFactory.instance.arrayNode();
        times.forEach(time -> seconds.add(rounded(time.seconds())));
        return seconds;
    }

    private static double rounded(double value) {
        return Math.round(value * 1000) / 1000.0;
    }
}
