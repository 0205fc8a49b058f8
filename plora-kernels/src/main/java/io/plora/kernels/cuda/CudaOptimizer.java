package io.plora.kernels.cuda;

import io.plora.kernels.AdapterState;
import io.plora.kernels.OptimizerStep;
import io.plora.kernels.Tensor;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * AdamW and SGD over all adapters at once. All adapters that live on the device are planned together, whoever steps: batches
 * of different sizes end at different times, and the plan should not change with them.
 */
final class CudaOptimizer {
    private final DeviceMemory memory;
    private final Workspace workspace;
    private final WorkTime time;
    private final Workspace stepMemory;
    private final List<AdapterState> adapters = new ArrayList<>();
    private @Nullable Plan plan;

    CudaOptimizer(DeviceMemory memory, Workspace workspace, WorkTime time) {
        this.memory = memory;
        this.workspace = workspace;
        this.time = time;
        this.stepMemory = new Workspace(memory, () -> {});
    }

    /**
     * Matrices and pieces of work of all adapters on the device.
     *
     * @param spanBytes of one span
     * @param starts first span of each adapter, then the number of spans
     */
    private record Plan(
            Map<AdapterState, Integer> numbers,
            Tensor matrices,
            Tensor spans,
            Tensor adapterSpans,
            int[] starts,
            long spanBytes) {
        int spanCount() {
            return starts[starts.length - 1];
        }
    }

    /** If this memory belongs to an adapter, that is planned no more from the next new adapter on; until then it does not step. */
    void forget(Tensor parameters) {
        adapters.removeIf(adapter -> adapter.parameters() == parameters);
    }

    private void drop() {
        if (plan != null) {
            memory.arena().release(plan.matrices());
            memory.arena().release(plan.spans());
            memory.arena().release(plan.adapterSpans());
            plan = null;
        }
    }

    private Plan planFor(List<AdapterState> needed) {
        Plan current = plan;
        if (current == null || !current.numbers().keySet().containsAll(needed)) {
            drop();
            needed.stream().filter(adapter -> !adapters.contains(adapter)).forEach(adapters::add);
            current = make();
            plan = current;
        }
        return current;
    }

    private Plan make() {
        int count = adapters.stream().mapToInt(a -> a.matrices().size()).sum();
        Map<AdapterState, Integer> numbers = new HashMap<>();
        try (Plora.Matrices matrices = new Plora.Matrices(Math.max(1, count));
                IntPointer adapterSpans = new IntPointer(adapters.size() + 1L)) {
            int next = 0;
            for (AdapterState adapter : adapters) {
                int number = numbers.size();
                numbers.put(adapter, number);
                for (int i = 0; i < adapter.matrices().size(); i++) {
                    fill(matrices.position(next++), adapter, i, number);
                }
            }
            matrices.position(0);
            CudaLibrary.check(Plora.optimizerPlan(matrices, count, adapters.size(), null, 0, adapterSpans));
            int spanCount = adapterSpans.get(adapters.size());
            try (Plora.Spans spans = new Plora.Spans(Math.max(1, spanCount))) {
                CudaLibrary.check(
                        Plora.optimizerPlan(matrices, count, adapters.size(), spans, spanCount, adapterSpans));
                int[] starts = new int[adapters.size() + 1];
                adapterSpans.get(starts);
                List<Tensor> uploaded = upload(List.of(matrices, spans, adapterSpans), count, spanCount, starts.length);
                return new Plan(numbers, uploaded.get(0), uploaded.get(1), uploaded.get(2), starts, spans.sizeof());
            }
        }
    }

    /** All of some structures or, where memory is short, none. */
    private List<Tensor> upload(List<? extends Pointer> structures, long... counts) {
        List<Tensor> uploaded = new ArrayList<>();
        try {
            for (int i = 0; i < counts.length; i++) {
                uploaded.add(memory.upload(structures.get(i), counts[i]));
            }
            return uploaded;
        } catch (RuntimeException | Error e) {
            uploaded.forEach(memory.arena()::release);
            throw e;
        }
    }

    private static void fill(Plora.Matrices to, AdapterState adapter, int index, int number) {
        AdapterState.Matrix matrix = adapter.matrices().get(index);
        long offset = adapter.offset(index) * Float.BYTES;
        Tensor operand = adapter.operand(index);
        to.parameters(adapter.parameters().address() + offset);
        to.gradients(adapter.gradients().address() + offset);
        to.firstMoment(adapter.firstMoment().address() + offset);
        to.secondMoment(adapter.secondMoment().address() + offset);
        to.copy(operand.address());
        to.rows(matrix.rows());
        to.columns(matrix.columns());
        to.copyStride((int) operand.dim(1));
        to.adapter(number);
        to.isB(matrix.isB() ? 1 : 0);
    }

    /** Copies an adapter's parameters to where products read them. */
    void refresh(AdapterState adapter) {
        Plan current = planFor(List.of(adapter));
        int number = current.numbers().get(adapter);
        int first = current.starts()[number];
        int count = current.starts()[number + 1] - first;
        if (count > 0) {
            long spans = current.spans().address() + first * current.spanBytes();
            CudaLibrary.check(Plora.copyParameters(current.matrices().address(), spans, count, memory.stream()));
        }
    }

    /** Returns once norms are known; the update may still be under way. */
    double[] optimize(List<OptimizerStep> steps) {
        if (steps.isEmpty()) {
            return new double[0];
        }
        Plan current = planFor(steps.stream().map(OptimizerStep::adapter).toList());
        int count = current.numbers().size();
        double[] all = new double[count];
        try (Plora.Steps table = new Plora.Steps(count)) {
            Pointer.memset(table, 0, count * (long) table.sizeof());
            for (OptimizerStep step : steps) {
                fill(table.position(current.numbers().get(step.adapter())), step);
            }
            long normBytes = count * (long) Double.BYTES;
            long deviceNorms = stepMemory.ofBytes(normBytes + count * (long) table.sizeof());
            long deviceSteps = deviceNorms + normBytes;
            memory.copyIn(deviceSteps, table.position(0).address(), count * (long) table.sizeof());
            long sums = workspace.ofBytes((current.spanCount() + (long) count) * Double.BYTES);
            time.around(() -> CudaLibrary.check(Plora.gradientNorms(
                    current.matrices().address(),
                    current.spans().address(),
                    current.spanCount(),
                    current.adapterSpans().address(),
                    count,
                    deviceSteps,
                    deviceNorms,
                    sums,
                    memory.stream())));
            Supplier<ByteBuffer> norms = memory.readEarly(deviceNorms, Math.toIntExact(normBytes));
            time.around(() -> CudaLibrary.check(Plora.optimize(
                    current.matrices().address(),
                    current.spans().address(),
                    current.spanCount(),
                    deviceSteps,
                    sums,
                    memory.stream())));
            norms.get().asDoubleBuffer().get(all);
        }
        return steps.stream()
                .mapToDouble(step -> all[current.numbers().get(step.adapter())])
                .toArray();
    }

    private static void fill(Plora.Steps to, OptimizerStep step) {
        to.active(1);
        to.rule(step.rule() == OptimizerStep.Rule.ADAMW ? 0 : 1);
        to.learningRateA((float) step.learningRateA());
        to.learningRateB((float) step.learningRateB());
        to.weightDecay((float) step.weightDecay());
        to.maxNorm((float) step.maxGradientNorm());
        to.firstCorrection((float) (1 - Math.pow(OptimizerStep.BETA1, step.step())));
        to.secondCorrection((float) (1 - Math.pow(OptimizerStep.BETA2, step.step())));
    }
}
