package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableSortedMap;
import io.plora.plan.Action.CloseGroup;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.OpenGroup;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Mutants: good policies with one fault. The first decision that has it is refused, and what would have happened is never run. */
class BrokenPoliciesTest {

    /** What a policy may do wrong, and what is said about it. */
    enum Fault {
        MORE_MEMBERS_THAN_MEMORY_HOLDS("needs .*, its smallest device has", BrokenPoliciesTest::joinAll),
        MORE_SAMPLES_THAN_MEMORY_HOLDS("needs .*, its smallest device has", BrokenPoliciesTest::takeWholeBatches),
        MORE_TOKENS_THAN_THE_BUDGET("tokens, the token budget is", BrokenPoliciesTest::takeWholeBatches),
        DEVICE_IN_TWO_GROUPS("device \\(\\d+\\) belongs to another group", BrokenPoliciesTest::openTwice),
        DEVICE_TWICE_IN_A_GROUP("it names a device twice", BrokenPoliciesTest::nameDeviceTwice),
        GROUP_OVER_TWO_NODES("not of the first one's", BrokenPoliciesTest::spanNodes),
        TRIAL_IN_TWO_GROUPS("is already in group", BrokenPoliciesTest::joinTwice),
        ENDED_TRIAL_ONCE_MORE("has ended", BrokenPoliciesTest::joinEnded),
        SAMPLES_OF_TWO_BATCHES("its batch has", BrokenPoliciesTest::takeTwoBatches),
        SAMPLES_BEYOND_THE_EPOCH("ends its epoch after", BrokenPoliciesTest::repeatOnceMore),
        MEMBER_WITHOUT_SAMPLES("samples; leave it out instead", BrokenPoliciesTest::takeNothing),
        SAMPLES_OF_A_STRANGER("is no member of group", BrokenPoliciesTest::takeOfAStranger),
        CLOSED_WITH_MEMBERS("let them leave first", BrokenPoliciesTest::closeAll);

        private final String message;
        private final Mutation mutation;

        Fault(String message, Mutation mutation) {
            this.message = message;
            this.mutation = mutation;
        }
    }

    /** Changes the actions of a decision about a state. */
    @FunctionalInterface
    private interface Mutation {
        void change(List<Action> actions, SweepState state);
    }

    private record Broken(PackingPolicy policy, Mutation mutation) implements PackingPolicy {
        @Override
        public String name() {
            return "broken " + policy.name();
        }

        @Override
        public Decision decide(SweepState state) {
            List<Action> actions = new ArrayList<>(policy.decide(state).actions());
            mutation.change(actions, state);
            return new Decision(actions);
        }
    }

    /** Two nodes of two devices; room for two or three of the eight adapters and some of their samples. */
    private static SweepProgress sweep(long memoryBytes, int tokenBudget) {
        List<DeviceState> devices = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            devices.add(new DeviceState(i, memoryBytes, i / 2, 1));
        }
        return Sweeps.sweep(
                        List.of(
                                Sweeps.config(64, 1),
                                Sweeps.config(64, 2),
                                Sweeps.config(64, 4),
                                Sweeps.config(64, 8),
                                Sweeps.config(32, 1),
                                Sweeps.config(32, 2),
                                Sweeps.config(32, 4),
                                Sweeps.config(32, 8)),
                        new int[] {20, 40, 60, 10, 30, 50, 25, 35, 45, 55},
                        tokenBudget,
                        memoryBytes)
                .withDevices(devices)
                .build();
    }

    @ParameterizedTest
    @EnumSource
    void faultIsRefused(Fault fault) {
        for (PackingPolicy policy : List.of(new ContinuousPacking(), new GreedyPacking(), new DtmPacking())) {
            SweepProgress progress =
                    fault == Fault.MORE_TOKENS_THAN_THE_BUDGET ? sweep(9_000, 100) : sweep(1_200, Integer.MAX_VALUE);

            assertThatThrownBy(() -> PlanSimulator.simulate(new Broken(policy, fault.mutation), progress))
                    .as(policy.name())
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageMatching("(?s)Impossible .*" + fault.message + ".*");
        }
    }

    @Test
    void soundPoliciesAreNotRefused() {
        for (PackingPolicy policy : List.of(new ContinuousPacking(), new GreedyPacking(), new DtmPacking())) {
            PlanSimulator.simulate(new Broken(policy, (actions, state) -> {}), sweep(1_200, Integer.MAX_VALUE));
            PlanSimulator.simulate(new Broken(policy, (actions, state) -> {}), sweep(9_000, 100));
        }
    }

    /** All that wait go to the first group that opens. */
    private static void joinAll(List<Action> actions, SweepState state) {
        if (actions.stream().anyMatch(OpenGroup.class::isInstance)) {
            actions.removeIf(action -> !(action instanceof OpenGroup));
            actions.subList(1, actions.size()).clear();
            state.waiting().forEach(trial -> actions.add(new Join(state.nextGroup(), trial.index())));
        }
    }

    private static void takeWholeBatches(List<Action> actions, SweepState state) {
        changeSamples(
                actions,
                (iterate, samples) -> samples.replaceAll(
                        (trial, count) -> state.trial(trial).config().batchSize()));
    }

    private static void takeTwoBatches(List<Action> actions, SweepState state) {
        changeSamples(
                actions,
                (iterate, samples) -> samples.replaceAll(
                        (trial, count) -> 2 * state.trial(trial).config().batchSize()));
    }

    private static void takeNothing(List<Action> actions, SweepState state) {
        changeSamples(actions, (iterate, samples) -> samples.replaceAll((trial, count) -> 0));
    }

    private static void takeOfAStranger(List<Action> actions, SweepState state) {
        Map<Integer, Integer> groups = new LinkedHashMap<>();
        actions.forEach(action -> {
            if (action instanceof Join join) {
                groups.put(join.trial(), join.group());
            }
        });
        changeSamples(
                actions,
                (iterate, samples) -> state.waiting().stream()
                        .filter(trial -> !Integer.valueOf(iterate.group()).equals(groups.get(trial.index())))
                        .findFirst()
                        .ifPresent(trial -> samples.put(trial.index(), 1)));
    }

    private static void repeatOnceMore(List<Action> actions, SweepState state) {
        actions.replaceAll(action -> action instanceof Iterate iterate
                ? new Iterate(
                        iterate.group(),
                        iterate.samples(),
                        1
                                + iterate.samples().entrySet().stream()
                                        .mapToInt(entry ->
                                                state.trial(entry.getKey()).iterationsLeftInEpoch(entry.getValue()))
                                        .min()
                                        .orElseThrow())
                : action);
    }

    private static void changeSamples(List<Action> actions, SampleChange change) {
        actions.replaceAll(action -> {
            if (action instanceof Iterate iterate) {
                SortedMap<Integer, Integer> samples = new TreeMap<>(iterate.samples());
                change.change(iterate, samples);
                return new Iterate(iterate.group(), ImmutableSortedMap.copyOf(samples));
            }
            return action;
        });
    }

    @FunctionalInterface
    private interface SampleChange {
        void change(Iterate iterate, SortedMap<Integer, Integer> samples);
    }

    /** The devices of the first group that opens are given to another one. */
    private static void openTwice(List<Action> actions, SweepState state) {
        first(
                actions,
                OpenGroup.class,
                open -> actions.add(new OpenGroup(open.group() + count(actions, OpenGroup.class), open.devices())));
    }

    private static void nameDeviceTwice(List<Action> actions, SweepState state) {
        first(
                actions,
                OpenGroup.class,
                open -> actions.set(
                        actions.indexOf(open),
                        new OpenGroup(
                                open.group(),
                                List.of(open.devices().get(0), open.devices().get(0)))));
    }

    private static void spanNodes(List<Action> actions, SweepState state) {
        first(
                actions,
                OpenGroup.class,
                open -> actions.set(
                        actions.indexOf(open),
                        new OpenGroup(open.group(), List.of(0, state.devices().size() - 1))));
    }

    private static void joinTwice(List<Action> actions, SweepState state) {
        first(actions, Join.class, join -> actions.add(actions.indexOf(join), join));
    }

    private static void joinEnded(List<Action> actions, SweepState state) {
        state.trials().stream()
                .filter(trial -> trial.phase() == Phase.ENDED)
                .findFirst()
                .ifPresent(trial -> {
                    if (!actions.isEmpty()) {
                        actions.add(0, new Join(state.idleGroups().get(0).id(), trial.index()));
                    }
                });
    }

    private static void closeAll(List<Action> actions, SweepState state) {
        first(
                actions,
                Iterate.class,
                iterate -> actions.set(actions.indexOf(iterate), new CloseGroup(iterate.group())));
    }

    private static <A extends Action> void first(List<Action> actions, Class<A> kind, Consumer<A> change) {
        actions.stream().filter(kind::isInstance).map(kind::cast).findFirst().ifPresent(change);
    }

    private static int count(List<Action> actions, Class<? extends Action> kind) {
        return (int) actions.stream().filter(kind::isInstance).count();
    }
}
