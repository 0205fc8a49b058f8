package io.plora.cost;

import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.List;

/**
 * Seconds of an iteration by what they are spent on. A device does its parts one after the other, while the host tells it what
 * to do: the iteration takes as long as the slower of the two.
 *
 * @param products frozen matrices of the layers
 * @param attention scores and their use
 * @param pointwise norms, rotary embedding, SwiGLU, residuals: memory traffic
 * @param lowRank all low-rank terms
 * @param loss output layer and cross-entropy
 * @param optimizer AdamW
 * @param communication between the devices of a group
 * @param launches the device waits: for the host to prepare the iteration, and from kernel to kernel
 * @param host all that the host does: preparing the iteration and launching its kernels
 */
public record IterationParts(
        double products,
        double attention,
        double pointwise,
        double lowRank,
        double loss,
        double optimizer,
        double communication,
        double launches,
        double host) {

    /** How many parts there are. */
    static final int COUNT = 9;

    /** Of these the device's, which come first; the host's follows. */
    static final int DEVICE = 8;

    /** The iteration's time. */
    public double seconds() {
        return Math.max(device(), host);
    }

    /** All that the device does. */
    private double device() {
        return products + attention + pointwise + lowRank + loss + optimizer + communication + launches;
    }

    /** Names of the parts, in order. */
    public static List<String> names() {
        return Arrays.stream(IterationParts.class.getRecordComponents())
                .map(RecordComponent::getName)
                .toList();
    }

    /** The parts in order. */
    double[] values() {
        return new double[] {products, attention, pointwise, lowRank, loss, optimizer, communication, launches, host};
    }
}
