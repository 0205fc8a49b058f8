package io.plora.plan;

import com.google.common.collect.ImmutableSortedMap;
import io.plora.cost.GroupWork;
import java.util.SortedMap;

/**
 * Iterations of one kind that a group has in progress.
 *
 * @param samples most samples of each trial in an iteration
 * @param repeat iterations that are left, the one in progress included
 * @param filled whether iterations take fewer samples where not all fit, see {@link Action.Iterate}
 * @param work mean work of an iteration when they began
 * @param tokens of all iterations when they began
 * @param mostTokens of an iteration
 * @param mostBytes held on each of the group's devices during an iteration
 */
public record Stretch(
        SortedMap<Integer, Integer> samples,
        int repeat,
        boolean filled,
        GroupWork work,
        long tokens,
        long mostTokens,
        long mostBytes) {

    public Stretch {
        samples = ImmutableSortedMap.copyOf(samples);
    }

    Stretch after(int iterations) {
        return new Stretch(samples, repeat - iterations, filled, work, tokens, mostTokens, mostBytes);
    }
}
