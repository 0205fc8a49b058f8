package io.plora.execute;

import io.plora.EpochEvent;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What came of a {@link GroupTask}.
 *
 * @param seconds of the iteration, without evaluation and saving
 * @param tokens of each trial that went through the base model
 * @param losses of batches that ended, by trial id
 * @param failed trials that cannot go on
 * @param error what ended the task; null if nothing did
 */
record GroupOutcome(
        int group,
        double seconds,
        Map<TrialRun, Integer> tokens,
        Map<String, Double> losses,
        List<EpochEvent> epochs,
        List<TrialRun> failed,
        @Nullable Throwable error) {

    static GroupOutcome ofError(int group, Throwable error) {
        return new GroupOutcome(group, 0, Map.of(), Map.of(), List.of(), List.of(), error);
    }
}
