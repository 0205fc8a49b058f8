package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.Cluster;
import io.plora.cost.DeviceSpec;
import io.plora.plan.ContinuousPacking;
import io.plora.plan.SweepPlan;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * How planning grows with the sweep: Qwen2.5-7B, nodes of eight A100-40GB, about ten configurations a device, the paper's ranks
 * and batch sizes.
 */
final class PlannerScale {
    private static final String MODEL = "Qwen2.5-7B";
    private static final int[] CONFIGS = {100, 300, 1_000, 3_000, 10_000};
    private static final int NODE = 8;
    private static final double DEVICES_OF_A_CONFIG = 1_024 / 10_000.0;
    private static final int WARM_UP = 1_000;
    private static final double MEBIBYTE = 1 << 20;

    private final String lengths;
    private final int[] samples;
    private final boolean ownOrders;

    private PlannerScale(String lengths, int[] samples, boolean ownOrders) {
        this.lengths = lengths;
        this.samples = samples;
        this.ownOrders = ownOrders;
    }

    /**
     * A row for each number of configurations, and one with the exponent of the planning time.
     *
     * @param lengths name of the samples' lengths
     * @param ownOrders whether each trial sees the samples in an order of its own
     */
    static List<ObjectNode> rows(String lengths, int[] samples, boolean ownOrders) {
        PlannerScale scale = new PlannerScale(lengths, samples, ownOrders);
        scale.measured(WARM_UP);
        List<ObjectNode> rows = new ArrayList<>();
        for (int configs : CONFIGS) {
            rows.add(scale.measured(configs));
        }
        rows.add(scale.growth(rows));
        return rows;
    }

    private ObjectNode measured(int configs) {
        int nodes = Math.max(1, (int) Math.round(configs * DEVICES_OF_A_CONFIG / NODE));
        PlannerSetting setting = new PlannerSetting(
                MODEL,
                Cluster.of(nodes, NODE, DeviceSpec.A100_40GB),
                HeldOutSettings.random(
                        configs, configs, new int[] {8, 16, 32, 64, 128}, new int[] {1, 2, 4, 8, 16, 32}),
                lengths,
                samples,
                ownOrders);
        ActivationPolicy activations = ActivationPolicy.KEEP_ALL;
        System.gc();
        heap().forEach(MemoryPoolMXBean::resetPeakUsage);
        long start = System.nanoTime();
        SweepPlan plan = setting.run(new ContinuousPacking(), setting.engine(activations), activations);
        double milliseconds = (System.nanoTime() - start) / 1e6;
        ObjectNode row = described(plan.policy());
        row.put("cluster", setting.clusterName());
        row.put("configs", configs);
        row.put("makespan_s", PlannerRows.rounded(plan.makespan()));
        row.put("lower_bound_s", PlannerRows.rounded(plan.bound().seconds()));
        row.put("gap", PlannerRows.rounded(plan.gap()));
        row.put("decisions", plan.decisions().size());
        row.put("plan_ms", PlannerRows.rounded(milliseconds));
        row.put("peak_heap_mib", PlannerRows.rounded(peakBytes() / MEBIBYTE));
        row.put("max_heap_mib", PlannerRows.rounded(Runtime.getRuntime().maxMemory() / MEBIBYTE));
        return row;
    }

    private ObjectNode described(String policy) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        row.put("scale", true);
        row.put("model", MODEL);
        row.put("lengths", lengths);
        row.put("own_orders", ownOrders);
        row.put("planner", policy);
        return row;
    }

    /** The most that was in use, garbage included; no less than it was, as the pools need not peak at the same time. */
    private static long peakBytes() {
        return heap().mapToLong(pool -> pool.getPeakUsage().getUsed()).sum();
    }

    private static Stream<MemoryPoolMXBean> heap() {
        return ManagementFactory.getMemoryPoolMXBeans().stream().filter(pool -> pool.getType() == MemoryType.HEAP);
    }

    /** Least squares of the logarithm of the planning time over that of the number of configurations. */
    private ObjectNode growth(List<ObjectNode> rows) {
        double[] x = logarithms(rows, "configs");
        double[] y = logarithms(rows, "plan_ms");
        double meanX = mean(x);
        double meanY = mean(y);
        double covariance = 0;
        double variance = 0;
        for (int i = 0; i < x.length; i++) {
            covariance += (x[i] - meanX) * (y[i] - meanY);
            variance += (x[i] - meanX) * (x[i] - meanX);
        }
        ObjectNode row = described(rows.get(0).get("planner").asText());
        row.put("from_configs", CONFIGS[0]);
        row.put("to_configs", CONFIGS[CONFIGS.length - 1]);
        row.put("plan_ms_exponent", PlannerRows.rounded(covariance / variance));
        return row;
    }

    private static double[] logarithms(List<ObjectNode> rows, String field) {
        return rows.stream()
                .mapToDouble(row -> Math.log(row.get(field).asDouble()))
                .toArray();
    }

    private static double mean(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value;
        }
        return sum / values.length;
    }
}
