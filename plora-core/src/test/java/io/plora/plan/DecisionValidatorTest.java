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
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class DecisionValidatorTest {
    /** Trial 0 is in group 0 on device 0, trial 1 in group 1 on device 1, which iterates; 2 waits, 3 has ended. */
    private final SweepState state = state();

    private static SweepState state() {
        SweepProgress progress = sweep(
                        List.of(config(8, 2), config(16, 1), config(32, 4), config(64, 1)),
                        new int[] {10, 20, 30, 40},
                        60,
                        1_130)
                .withDevices(List.of(new DeviceState(0, 1_130), new DeviceState(1, 9_000), new DeviceState(2, 900)))
                .build();
        progress.end(3, EndReason.CANCELLED);
        SweepState opened = DecisionValidator.validate(
                progress.state(),
                decision(
                        new OpenGroup(0, List.of(0)),
                        new Join(0, 0),
                        new OpenGroup(1, List.of(1)),
                        new Join(1, 1),
                        iterate(1, Map.of(1, 1))));
        return opened;
    }

    private static Decision decision(Action... actions) {
        return new Decision(List.of(actions));
    }

    private static Iterate iterate(int group, Map<Integer, Integer> samples) {
        return new Iterate(group, ImmutableSortedMap.copyOf(samples));
    }

    @Test
    void possibleDecisionGivesTheStateAfterIt() {
        SweepState after =
                DecisionValidator.validate(state, decision(new Join(0, 2), new Leave(0, 0), iterate(0, Map.of(2, 2))));

        assertThat(after.group(0).members()).containsExactly(2);
        assertThat(after.group(0).iteration()).containsExactly(Map.entry(2, 2));
        assertThat(after.trial(0).phase()).isEqualTo(Phase.WAITING);
        assertThat(after.trial(2).phase()).isEqualTo(Phase.RUNNING);
        assertThat(state.group(0).members()).as("the state before").containsExactly(0);
    }

    @Test
    void closedGroupFreesItsDevicesAndItsNumberIsNotUsedAgain() {
        SweepState after = DecisionValidator.validate(
                state, decision(new Leave(0, 0), new CloseGroup(0), new OpenGroup(2, List.of(0)), new Join(2, 0)));

        assertThat(after.groups()).extracting(GroupState::id).containsExactly(1, 2);
        assertThat(after.nextGroup()).isEqualTo(3);
        assertThat(after.freeDevices()).extracting(DeviceState::index).containsExactly(2);
    }

    @Test
    void singleSampleMayExceedTheTokenBudget() {
        SweepState long1 =
                sweep(List.of(config(8, 1)), new int[] {100}, 60, 2000).build().state();

        assertThat(DecisionValidator.validate(
                                long1, decision(new OpenGroup(0, List.of(0)), new Join(0, 0), iterate(0, Map.of(0, 1))))
                        .group(0)
                        .isIterating())
                .isTrue();
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
                impossible("it names no device", new OpenGroup(2, List.of())),
                impossible("it names a device twice", new OpenGroup(2, List.of(2, 2))),
                impossible("There is no device (9)", new OpenGroup(2, List.of(9))),
                impossible("device (0) belongs to another group", new OpenGroup(2, List.of(0))),
                impossible("it has no sample", iterate(0, Map.of())),
                impossible("gets (0) samples; leave it out instead", iterate(0, Map.of(0, 0))),
                impossible("gets (3) samples, its batch lacks (2)", iterate(0, Map.of(0, 3))),
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
