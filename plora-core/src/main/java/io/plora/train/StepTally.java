package io.plora.train;

import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the passes of one step have done for each adapter. Losses are read as late as possible, because reading them waits
 * until all that was asked of a device is done.
 */
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

    private record Pass(PackedBatch batch, Tensor losses) {}

    private final Kernels kernels;
    private final List<Training> members;
    private final Map<Training, Part> parts = new LinkedHashMap<>();
    private @Nullable Pass unread;

    /** @param members in the order of the adapters of batches */
    StepTally(Kernels kernels, List<Training> members) {
        this.kernels = kernels;
        this.members = members;
    }

    /** Of samples that their trainings have not counted as taken yet. */
    void add(Map<Training, Integer> samples, PackedBatch batch, Tensor losses) {
        samples.forEach((training, count) -> {
            Part part = parts.computeIfAbsent(training, key -> new Part());
            part.samples += count;
            part.rows += training.rowsOfNext(count, SampleLengths.OWN);
        });
        unread = new Pass(batch, losses);
    }

    /** Reads the losses of the last pass; to be called before the next overwrites them. */
    void readLosses() {
        if (unread == null) {
            return;
        }
        float[] losses = kernels.floats(unread.losses());
        for (Map.Entry<Training, Part> entry : parts.entrySet()) {
            int adapter = members.indexOf(entry.getKey());
            for (int row = unread.batch().adapterStart(adapter);
                    row < unread.batch().adapterEnd(adapter);
                    row++) {
                entry.getValue().loss += losses[row];
            }
        }
        unread = null;
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
