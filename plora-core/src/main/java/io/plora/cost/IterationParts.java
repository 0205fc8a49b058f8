package io.plora.cost;

import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.List;

/**
 * Seconds of an iteration by what they are spent on; one after the other, so that their sum is the iteration's time.
 *
 * @param products frozen matrices of the layers
 * @param attention scores and their use
 * @param pointwise norms, rotary embedding, SwiGLU, residuals: memory traffic
 * @param lowRank all low-rank terms
 * @param loss output layer and cross-entropy
 * @param optimizer AdamW
 * @param communication between the devices of a group
 * @param launches starting kernels
 */
public record IterationParts(
        double products,
        double attention,
        double pointwise,
        double lowRank,
        double loss,
        double optimizer,
        double communication,
        double launches) {

    /** The iteration's time. */
    public double seconds() {
        return products + attention + pointwise + lowRank + loss + optimizer + communication + launches;
    }

    /** How many parts there are. */
    static final int COUNT = 8;

    /** Names of the parts, in order. */
    public static List<String> names() {
        return Arrays.stream(IterationParts.class.getRecordComponents())
                .map(RecordComponent::getName)
                .toList();
    }

    /** The parts in order. */
    double[] values() {
        return new double[] {products, attention, pointwise, lowRank, loss, optimizer, communication, launches};
    }
}
