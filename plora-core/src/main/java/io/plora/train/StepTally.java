package io.plora.train;

import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;

/** What the passes of one step have done for each adapter. Losses are awaited as late as possible: after all else is asked for. */
final class StepTally {

    /** One adapter's part. */
    static final class Part {
        private int samples;
        private int rows;
        private double loss; // sum over answer tokens

        int samples() {
            return samples;
        }

        int rows() {
            return rows;
        }

        double loss() {
            return loss;
        }
    }

    private record Pass(PackedBatch batch, Supplier<float[]> losses) {}

    private final Kernels kernels;
    private final List<Training> members;
    private final Map<Training, Part> parts = new LinkedHashMap<>();
    private final List<Pass> passes = new ArrayList<>();

    /** @param members in the order of the adapters of batches */
    StepTally(Kernels kernels, List<Training> members) {
        this.kernels = kernels;
        this.members = members;
    }

    /**
     * @param samples of each training, not counted as taken yet
     * @param losses of each row, as they are now
     */
    void add(Map<Training, Integer> samples, PackedBatch batch, Tensor losses) {
        samples.forEach((training, count) -> {
            Part part = parts.computeIfAbsent(training, key -> new Part());
            part.samples += count;
            part.rows += training.rowsOfNext(count, SampleLengths.OWN);
        });
        passes.add(new Pass(batch, kernels.floatsLater(losses)));
    }

    /** Adds up the losses of all passes; to be called once. */
    void sumLosses() {
        for (Pass pass : passes) {
            float[] losses = pass.losses().get();
            parts.forEach((training, part) -> {
                int adapter = members.indexOf(training);
                for (int row = pass.batch().adapterStart(adapter);
                        row < pass.batch().adapterEnd(adapter);
                        row++) {
                    part.loss += losses[row];
                }
            });
        }
    }

    /** Those who took part. */
    Set<Training> trainings() {
        return parts.keySet();
    }

    Part part(Training training) {
        return Objects.requireNonNull(parts.get(training));
    }

    int rows() {
        return parts.values().stream().mapToInt(Part::rows).sum();
    }
}
