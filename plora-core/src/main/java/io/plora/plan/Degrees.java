package io.plora.plan;

import com.google.common.collect.ImmutableSortedSet;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

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

    /** The powers of two up to a number of devices, ascending. */
    static List<Integer> upTo(int devices) {
        return IntStream.iterate(1, degree -> degree <= devices, degree -> 2 * degree)
                .boxed()
                .toList();
    }

    static boolean isDegree(int count) {
        return Integer.bitCount(count) == 1;
    }

    /** Most memory that each device of a group can have: where those of a node differ, the smallest of the group counts. */
    static long largestMemory(SweepState state, int degree) {
        Map<Integer, List<DeviceState>> nodes =
                state.devices().stream().collect(Collectors.groupingBy(DeviceState::node));
        return nodes.values().stream()
                .filter(node -> node.size() >= degree)
                .mapToLong(node -> node.stream()
                        .map(DeviceState::memoryBytes)
                        .sorted(Comparator.reverseOrder())
                        .skip(degree - 1L)
                        .findFirst()
                        .orElseThrow())
                .max()
                .orElse(0);
    }

    /** Memory of the largest device. */
    static long largestMemory(SweepState state) {
        return state.devices().stream()
                .mapToLong(DeviceState::memoryBytes)
                .max()
                .orElseThrow();
    }
}
