package io.plora.train;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What one step of a group did.
 *
 * @param rows tokens that went through the base model
 * @param members what it did for each adapter that took part
 */
public record StepReport(int rows, List<Member> members) {

    /**
     * One adapter's part.
     *
     * @param samples samples taken
     * @param rows tokens taken
     * @param batch the optimizer step that ended its batch; null while the batch is open
     * @param failure why the adapter cannot go on; null if it can
     */
    public record Member(
            Training training,
            int samples,
            int rows,
            @Nullable Batch batch,
            @Nullable String failure) {}

    /**
     * An ended batch.
     *
     * @param loss per answer token, in nats
     * @param gradientNorm before clipping
     * @param learningRate of the A matrices
     */
    public record Batch(double loss, double gradientNorm, double learningRate) {}
}
