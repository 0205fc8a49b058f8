package io.plora.plan;

import com.google.common.collect.ImmutableSortedSet;
import java.util.Collections;
import java.util.Map;
import java.util.SortedSet;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Numbers of devices that a group may have: the powers of two up to the largest node. */
final class Degrees {
    private Degrees() {}

    static SortedSet<Integer> of(SweepState state) {
        Map<Integer, Long> nodes = state.devices().stream()
                .map(DeviceState::node)
                .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
        long largest = Collections.max(nodes.values());
        ImmutableSortedSet.Builder<Integer> degrees = ImmutableSortedSet.naturalOrder();
        for (int degree = 1; degree <= largest; degree *= 2) {
            degrees.add(degree);
        }
        return degrees.build();
    }

    static boolean isDegree(int count) {
        return Integer.bitCount(count) == 1;
    }

    /** Memory of the largest device. */
    static long largestMemory(SweepState state) {
        return state.devices().stream()
                .mapToLong(DeviceState::memoryBytes)
                .max()
                .orElseThrow();
    }
}
