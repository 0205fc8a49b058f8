package io.plora.adapter;

import io.plora.kernels.DType;
import io.plora.model.ModelFormatException;
import io.plora.model.Safetensors;
import io.plora.model.SafetensorsWriter;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import java.nio.file.Path;

/**
 * What resuming a training needs besides A and B, taken between two optimizer steps, when no gradient is accumulated.
 *
 * @param firstMoment of the optimizer, flat, in the trainer's order of parameters; empty for an optimizer without
 *     moments; the array is not copied
 * @param secondMoment as {@code firstMoment}
 * @param optimizerSteps done
 * @param samplesDone in the current epoch
 * @param epoch current, from 0
 */
public record TrainingState(
        float[] firstMoment, float[] secondMoment, long optimizerSteps, long samplesDone, int epoch) {

    /** Name of the file, beside the adapter's. */
    public static final String FILE = "plora-state.safetensors";

    private static final String FIRST_MOMENT = "first_moment";
    private static final String SECOND_MOMENT = "second_moment";
    private static final String OPTIMIZER_STEPS = "optimizer_steps";
    private static final String SAMPLES_DONE = "samples_done";
    private static final String EPOCH = "epoch";

    public TrainingState {
        if (firstMoment.length != secondMoment.length) {
            throw new IllegalArgumentException("firstMoment has (%d) values, secondMoment (%d): they must be as many."
                    .formatted(firstMoment.length, secondMoment.length));
        }
        if (optimizerSteps < 0 || samplesDone < 0 || epoch < 0) {
            throw new IllegalArgumentException(
                    "optimizerSteps (%d), samplesDone (%d) and epoch (%d) must not be negative."
                            .formatted(optimizerSteps, samplesDone, epoch));
        }
    }

    /**
     * Writes {@link #FILE} into a folder, atomically.
     *
     * @throws java.io.UncheckedIOException if it cannot be written
     */
    public void save(Path folder) {
        new SafetensorsWriter()
                .withMetadata(OPTIMIZER_STEPS, Long.toString(optimizerSteps))
                .withMetadata(SAMPLES_DONE, Long.toString(samplesDone))
                .withMetadata(EPOCH, Integer.toString(epoch))
                .withTensor(FIRST_MOMENT, new TensorInfo(DType.F32, firstMoment.length), TensorData.of(firstMoment))
                .withTensor(SECOND_MOMENT, new TensorInfo(DType.F32, secondMoment.length), TensorData.of(secondMoment))
                .write(folder.resolve(FILE));
    }

    /**
     * Reads {@link #FILE} of a folder.
     *
     * @throws ModelFormatException if it is missing or malformed
     */
    public static TrainingState load(Path folder) {
        try (Safetensors file = Safetensors.open(folder.resolve(FILE))) {
            return new TrainingState(
                    file.floats(FIRST_MOMENT),
                    file.floats(SECOND_MOMENT),
                    counter(file, OPTIMIZER_STEPS),
                    counter(file, SAMPLES_DONE),
                    Math.toIntExact(counter(file, EPOCH)));
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new ModelFormatException(folder.resolve(FILE), "no training state: " + e.getMessage(), e);
        }
    }

    private static long counter(Safetensors file, String name) {
        String value = file.metadata().get(name);
        if (value == null) {
            throw new ModelFormatException(file.file(), "metadata (%s) is missing.".formatted(name));
        }
        return Long.parseLong(value);
    }
}
