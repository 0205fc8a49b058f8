package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableSortedMap;
import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.Leave;
import io.plora.plan.Action.OpenGroup;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class DecisionValidatorTest {
    /** Trial 0 is in group 0 on device 0, trial 1 in group 1 on device 1, which iterates; 2 waits, 3 has ended. */
    private final SweepProgress progress = progress();

    private final SweepState state = progress.state();

    private static SweepProgress progress() {
        SweepProgress progress = sweep(
                        List.of(config(8, 2), config(16, 1), config(32, 4), config(64, 1)),
                        new int[] {10, 20, 30, 40},
                        60,
                        1_130)
                .withDevices(List.of(
                        new DeviceState(0, 1_130),
                        new DeviceState(1, 9_000),
                        new DeviceState(2, 900),
                        new DeviceState(3, 9_000, 1, 1)))
                .build();
        progress.end(3, EndReason.CANCELLED);
        decide(
                progress,
                new OpenGroup(0, List.of(0)),
                new Join(0, 0),
                new OpenGroup(1, List.of(1)),
                new Join(1, 1),
                iterate(1, Map.of(1, 1)));
        return progress;
    }

    private static void decide(SweepProgress progress, Action... actions) {
        progress.decide(SweepProgressTest.fixed(actions));
    }

    private static Decision decision(Action... actions) {
        return new Decision(List.of(actions));
    }

    private static Iterate iterate(int group, Map<Integer, Integer> samples) {
        return new Iterate(group, ImmutableSortedMap.copyOf(samples));
    }

    @Test
    void possibleDecisionIsBegun() {
        decide(progress, new Join(0, 2), new Leave(0, 0), iterate(0, Map.of(2, 2)));

        assertThat(state.group(0).members()).containsExactly(2);
        assertThat(state.group(0).iteration()).containsExactly(Map.entry(2, 2));
        assertThat(state.trial(0).phase()).isEqualTo(Phase.WAITING);
        assertThat(state.trial(2).phase()).isEqualTo(Phase.RUNNING);
    }

    @Test
    void closedGroupFreesItsDevicesAndItsNumberIsNotUsedAgain() {
        decide(progress, new Leave(0, 0), new CloseGroup(0), new OpenGroup(2, List.of(0)), new Join(2, 0));

        assertThat(state.groups()).extracting(GroupState::id).containsExactly(1, 2);
        assertThat(state.nextGroup()).isEqualTo(3);
        assertThat(state.freeDevices()).extracting(DeviceState::index).containsExactly(2, 3);
        assertThat(state.groupOf(0)).isEqualTo(state.group(2));
    }

    @Test
    void singleSampleMayExceedTheTokenBudget() {
        SweepProgress long1 =
                sweep(List.of(config(8, 1)), new int[] {100}, 60, 2000).build();
        decide(long1, new OpenGroup(0, List.of(0)), new Join(0, 0), iterate(0, Map.of(0, 1)));

        assertThat(long1.state().group(0).isIterating()).isTrue();
    }

    @ParameterizedTest
    @MethodSource("impossible")
    void impossibleDecisionIsRefusedWithTheReason(Decision decision, String reason) {
        assertThatThrownBy(() -> DecisionValidator.validate(state, decision))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("Impossible ")
                .hasMessageContaining(reason);
    }

    static Stream<Arguments> impossible() {
        return Stream.of(
                impossible("There is no trial (7); there are (4)", new Join(0, 7)),
                impossible("Group (5) is not open", new Join(5, 2)),
                impossible("is already in group (0)", new Join(0, 0)),
                impossible("is already in group (0)", new Join(0, 2), new Join(0, 2)),
                impossible("is already in group (1)", new Join(0, 1)),
                impossible("has ended", new Join(0, 3)),
                impossible("is no member of group (0)", new Leave(0, 2)),
                impossible("group (1) is in an iteration", new Join(1, 2)),
                impossible("group (0) is in an iteration", iterate(0, Map.of(0, 1)), new Join(0, 2)),
                impossible("trials ([0]) are members; let them leave first", new CloseGroup(0)),
                impossible("the next group is (2)", new OpenGroup(0, List.of(2))),
                impossible("it names (0) devices, which is no power of two", new OpenGroup(2, List.of())),
                impossible("it names a device twice", new OpenGroup(2, List.of(2, 2))),
                impossible("There is no device (9)", new OpenGroup(2, List.of(9))),
                impossible("device (0) belongs to another group", new OpenGroup(2, List.of(0))),
                impossible("it names (3) devices, which is no power of two", new OpenGroup(2, List.of(1, 2, 3))),
                impossible("device (3) is of node (1), not of the first one's", new OpenGroup(2, List.of(2, 3))),
                impossible("group (0) is closed", new Leave(0, 0), new CloseGroup(0), new Join(0, 2)),
                impossible("it repeats (0) times", new Iterate(0, new TreeMap<>(Map.of(0, 2)), 0)),
                impossible("it repeats (3) times", new Iterate(0, new TreeMap<>(Map.of(0, 2)), 3)),
                impossible("ends its epoch after (2)", new Iterate(0, new TreeMap<>(Map.of(0, 2)), 3)),
                impossible(
                        "iteration (2 of 2) of group (0) has (70) tokens, the token budget is (60)",
                        new Iterate(0, new TreeMap<>(Map.of(0, 2)), 2)),
                impossible("a trial ends its epoch after (3)", new Iterate(0, new TreeMap<>(Map.of(0, 2)), 4, true)),
                impossible("it has no sample", iterate(0, Map.of())),
                impossible("gets (0) samples; leave it out instead", iterate(0, Map.of(0, 0))),
                impossible("gets (3) samples, its batch has (2)", iterate(0, Map.of(0, 3))),
                impossible("is no member of group (0)", iterate(0, Map.of(2, 1))),
                impossible("the token budget is (60)", new Join(0, 2), iterate(0, Map.of(0, 2, 2, 3))),
                impossible(
                        "with trials ([0, 2]) needs (1.1 KiB), its smallest device has (1.1 KiB)",
                        new Join(0, 2),
                        iterate(0, Map.of(0, 2, 2, 4))),
                impossible("needs (1000 bytes), its smallest device has (900 bytes)", new OpenGroup(2, List.of(2))));
    }

    private static Arguments impossible(String reason, Action... actions) {
        return Arguments.of(decision(actions), reason);
    }
}
