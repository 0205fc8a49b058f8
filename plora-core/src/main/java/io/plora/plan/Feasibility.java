package io.plora.plan;

import io.plora.cost.Bytes;
import java.util.Comparator;
import java.util.List;

/** Refuses what no packing can run. */
public final class Feasibility {
    private Feasibility() {}

    /**
     * Checks that every waiting trial fits the largest device alone, with the longest sample.
     *
     * @throws IllegalArgumentException naming the first that does not, what it needs and what there is
     */
    public static void requireEachFitsAlone(SweepState state) {
        DeviceState largest = state.devices().stream()
                .max(Comparator.comparingLong(DeviceState::memoryBytes))
                .orElseThrow();
        GroupLoad alone = new GroupLoad(state, List.of(largest.index()));
        for (TrialState trial : state.waiting()) {
            long needed = alone.bytesToGoOnWith(trial);
            if (needed > largest.memoryBytes()) {
                throw new IllegalArgumentException(
                        ("Configuration (%s) needs (%s) even alone, with the longest sample of (%d) tokens; the largest device has"
                                        + " (%s). Maybe lower its rank, target fewer modules, shorten the samples or raise the memory.")
                                .formatted(
                                        trial.config().id(),
                                        Bytes.toText(needed),
                                        state.longestSample(),
                                        Bytes.toText(largest.memoryBytes())));
            }
        }
    }
}
