package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.math.Quantiles;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.DtmPacking;
import io.plora.plan.MaxGpu;
import io.plora.plan.MinGpu;
import io.plora.plan.PackingPolicy;
import io.plora.plan.SweepPlan;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Random sweeps of 8 to 47 configurations and 64 to 127 samples on four or eight devices, so few that a batch is a large part of
 * a trial and a trial a large part of a device's work: where static jobs may be faster.
 */
final class SmallSweeps {
    private static final int SWEEPS = 300;
    private static final ActivationPolicy ACTIVATIONS = ActivationPolicy.KEEP_LAYER_INPUTS;

    private record Place(String model, DeviceSpec device) {}

    /** Models that fit four devices. */
    private static final List<Place> PLACES = List.of(
            new Place("Qwen2.5-0.5B", DeviceSpec.L4),
            new Place("Qwen2.5-1.5B", DeviceSpec.A10_24GB),
            new Place("Qwen2.5-7B", DeviceSpec.L40S),
            new Place("Llama-3.1-8B", DeviceSpec.A100_40GB),
            new Place("Qwen2.5-7B", DeviceSpec.A10_24GB),
            new Place("Qwen2.5-14B", DeviceSpec.A10_24GB),
            new Place("Qwen2.5-14B", DeviceSpec.A100_40GB),
            new Place("Qwen2.5-32B", DeviceSpec.L40S),
            new Place("Qwen2.5-32B", DeviceSpec.A100_80GB),
            new Place("Llama-3.1-70B", DeviceSpec.H100_80GB));

    private SmallSweeps() {}

    /** A row for each other policy: in how many sweeps it is faster than continuous packing, and how much at most. */
    static List<ObjectNode> rows() {
        List<PlannerSetting> settings =
                IntStream.range(0, SWEEPS).mapToObj(SmallSweeps::setting).toList();
        List<SweepPlan> plans = plans(new ContinuousPacking(), settings);
        double gap = Quantiles.median()
                .compute(plans.stream().mapToDouble(SweepPlan::gap).toArray());
        List<ObjectNode> rows = new ArrayList<>();
        for (PackingPolicy other : List.of(new DtmPacking(), new MinGpu(), new MaxGpu())) {
            List<SweepPlan> others = plans(other, settings);
            double[] ratios = IntStream.range(0, SWEEPS)
                    .mapToDouble(i -> others.get(i).makespan() / plans.get(i).makespan())
                    .toArray();
            ObjectNode row = JsonNodeFactory.instance.objectNode();
            row.put("small", true);
            row.put("sweeps", SWEEPS);
            row.put("planner", new ContinuousPacking().name());
            row.put("median_gap", PlannerRows.rounded(gap));
            row.put("other", other.name());
            row.put(
                    "other_faster",
                    Arrays.stream(ratios).filter(ratio -> ratio < 1).count());
            row.put(
                    "least_vs_other",
                    PlannerRows.rounded(Arrays.stream(ratios).min().orElseThrow()));
            row.put("median_vs_other", PlannerRows.rounded(Quantiles.median().compute(ratios)));
            rows.add(row);
        }
        return rows;
    }

    private static List<SweepPlan> plans(PackingPolicy policy, List<PlannerSetting> settings) {
        return settings.stream()
                .map(setting -> setting.run(policy, setting.engine(ACTIVATIONS), ACTIVATIONS))
                .toList();
    }

    private static PlannerSetting setting(int seed) {
        Random random = new Random(seed);
        Place place = PLACES.get(random.nextInt(PLACES.size()));
        Cluster cluster = Cluster.of(1 + random.nextInt(2), 4, place.device());
        double mean = 100 + random.nextInt(500);
        int[] samples = IntStream.range(0, 64 + random.nextInt(64))
                .map(i -> (int) Math.min(1024, Math.max(16, mean * Math.exp(0.4 * random.nextGaussian()))))
                .toArray();
        return new PlannerSetting(
                place.model(),
                cluster,
                HeldOutSettings.random(
                        8 + random.nextInt(40), seed, new int[] {8, 16, 32, 64, 128}, new int[] {1, 2, 4, 8, 16, 32}),
                "log-normal",
                samples,
                false);
    }
}
