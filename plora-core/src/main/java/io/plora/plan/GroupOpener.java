package io.plora.plan;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToIntFunction;

/** Divides free devices into groups: for each degree that trials ask for, as many as its part of the work. */
final class GroupOpener {
    /** Groups of more devices than others need start with more than their part, because they give devices back, not others. */
    private static final double OVERPROVISION = 1.25;

    private final SweepState state;
    private final SortedMap<Integer, List<Integer>> freeOfNode = new TreeMap<>();
    /** Device-seconds of the trials that ask for a degree, largest degree first. */
    private final SortedMap<Integer, Double> work = new TreeMap<>(Collections.reverseOrder());

    private final SortedMap<Integer, Integer> waiting = new TreeMap<>();
    /** What the smallest of the waiting trials of a degree needs on each device. */
    private final SortedMap<Integer, Long> leastBytes = new TreeMap<>();

    GroupOpener(
            SweepState state,
            ToIntFunction<TrialState> preferred,
            Collection<DeviceState> free,
            Iterable<TrialState> candidates) {
        this.state = state;
        free.stream()
                .sorted(Comparator.comparingLong(DeviceState::memoryBytes)
                        .reversed()
                        .thenComparingInt(DeviceState::index))
                .forEach(device -> freeOfNode
                        .computeIfAbsent(device.node(), node -> new ArrayList<>())
                        .add(device.index()));
        for (TrialState trial : state.unfinished()) {
            int degree = preferred.applyAsInt(trial);
            work.merge(degree, degree * state.rates().at(degree).seconds(trial), Double::sum);
        }
        for (TrialState trial : candidates) {
            int degree = preferred.applyAsInt(trial);
            waiting.merge(degree, 1, Integer::sum);
            leastBytes.merge(degree, state.degrees().bytes(trial.config(), degree), Math::min);
        }
    }

    /** Devices of each group that may open. */
    List<List<Integer>> open() {
        List<List<Integer>> opened = new ArrayList<>();
        double total = work.values().stream().mapToDouble(each -> each).sum();
        for (int degree : work.keySet()) {
            if (!waiting.containsKey(degree)) {
                continue;
            }
            boolean lastDegree = degree == waiting.firstKey();
            double devices = work.get(degree) / total * state.devices().size();
            long wanted = Math.max(1, (long) Math.ceil(OVERPROVISION * devices / degree));
            long more = lastDegree ? waiting.get(degree) : Math.min(waiting.get(degree), wanted - openGroups(degree));
            for (long i = 0; i < more && addGroup(degree, opened); i++) {}
        }
        return opened;
    }

    private long openGroups(int degree) {
        return state.groups().stream().filter(group -> group.degree() == degree).count();
    }

    private boolean addGroup(int degree, List<List<Integer>> opened) {
        for (List<Integer> free : freeOfNode.values()) {
            if (free.size() >= degree && state.memoryOf(free.subList(0, degree)) >= leastBytes.get(degree)) {
                List<Integer> devices = free.subList(0, degree);
                opened.add(List.copyOf(devices));
                devices.clear();
                return true;
            }
        }
        return false;
    }
}
