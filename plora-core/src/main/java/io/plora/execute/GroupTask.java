package io.plora.execute;

import java.util.Comparator;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * One iteration of a group.
 *
 * @param samples how many each trial takes, by index
 */
record GroupTask(int group, SortedMap<TrialRun, Integer> samples) {

    static SortedMap<TrialRun, Integer> byIndex() {
        return new TreeMap<>(Comparator.comparingInt(TrialRun::index));
    }
}
