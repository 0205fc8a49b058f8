package io.plora.execute;

import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a group does next, in this order: members leave, trials join, one iteration.
 *
 * @param samples how many each trial takes, by index
 */
record GroupTask(int group, List<TrialRun> leaves, List<TrialRun> joins, SortedMap<TrialRun, Integer> samples) {

    static SortedMap<TrialRun, Integer> byIndex() {
        return new TreeMap<>(Comparator.comparingInt(TrialRun::index));
    }
}
