package io.plora;

import com.google.common.collect.ImmutableMap;
import java.util.Map;

/**
 * One iteration of a group of adapters that train together.
 *
 * @param group number of the group, from 0
 * @param iteration number of the iteration in its group, from 0
 * @param tokens trained on in this iteration
 * @param seconds wall time of this iteration
 * @param losses by trial id, the mean loss of an answer token
 * @param tokensDone trained on so far in this run, all groups together
 * @param tokensExpected in this run; falls when a trial ends early
 * @param secondsLeft until the end of the run, planned by what iterations took so far; NaN where that is not known, which is
 *     so at first and as long as tens of thousands of optimizer steps are left
 */
public record StepEvent(
        int group,
        long iteration,
        long tokens,
        double seconds,
        Map<String, Double> losses,
        long tokensDone,
        long tokensExpected,
        double secondsLeft) {

    public StepEvent {
        losses = ImmutableMap.copyOf(losses);
    }
}
