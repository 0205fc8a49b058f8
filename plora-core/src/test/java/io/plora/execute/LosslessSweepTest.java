package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.SweepResult;
import io.plora.plan.Action;
import io.plora.plan.Decision;
import io.plora.plan.OneByOne;
import io.plora.plan.PackingPolicy;
import io.plora.plan.SweepState;
import io.plora.plan.TrialState;
import io.plora.space.LoraConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a sweep trains does not depend on how it goes about it. */
class LosslessSweepTest {
    @TempDir
    private Path folder;

    @Test
    void packedAndOneByOneGiveTheSameAdaptersAndRanking() {
        SweepResult packed = run("packed");
        SweepResult alone = TinySweeps.sweep(folder.resolve("alone"))
                .withPolicy(new OneByOne())
                .build()
                .run();

        requireClose(packed, alone);
    }

    @Test
    void theSameSweepGivesTheSameBits() {
        requireEqual(run("first"), run("second"));
    }

    @Test
    void aReplayedJournalOfContinuousPackingGivesTheSameBits() {
        requireReplayed(run("original"));
    }

    @Test
    void aReplayedJournalOfManyMovesGivesTheSameBits() {
        requireReplayed(TinySweeps.sweep(folder.resolve("original"))
                .withPolicy(new Restless())
                .build()
                .run());
    }

    private void requireReplayed(SweepResult original) {
        PackingPolicy replay = new ReplayPolicy(Journal.read(folder.resolve("original/journal-1.jsonl")));
        requireEqual(
                TinySweeps.sweep(folder.resolve("replayed"))
                        .withPolicy(replay)
                        .build()
                        .run(),
                original);
    }

    @Test
    void trialsThatPauseAndMoveBetweenDevicesInTheMiddleOfABatchEndTheSame() {
        SweepResult restless = TinySweeps.sweep(folder.resolve("restless"))
                .withPolicy(new Restless())
                .withDevice(TestDevice.of("left", 1L << 32))
                .withDevice(TestDevice.of("right", 1L << 32))
                .build()
                .run();

        requireClose(restless, run("packed"));
    }

    private SweepResult run(String name) {
        return TinySweeps.sweep(folder.resolve(name)).build().run();
    }

    private static void requireClose(SweepResult actual, SweepResult expected) {
        for (LoraConfig config : TinySweeps.CONFIGS) {
            assertThat(TinySweeps.relativeError(TinySweeps.last(actual, config), TinySweeps.last(expected, config)))
                    .as(config.id())
                    .isLessThan(1e-4);
            assertThat(TinySweeps.trial(actual, config).tokens())
                    .isEqualTo(TinySweeps.trial(expected, config).tokens());
            assertThat(TinySweeps.trial(actual, config).steps())
                    .isEqualTo(TinySweeps.trial(expected, config).steps());
        }
        assertThat(TinySweeps.ids(actual)).isEqualTo(TinySweeps.ids(expected));
    }

    private static void requireEqual(SweepResult actual, SweepResult expected) {
        for (LoraConfig config : TinySweeps.CONFIGS) {
            assertThat(TinySweeps.last(actual, config)).as(config.id()).isEqualTo(TinySweeps.last(expected, config));
        }
        assertThat(TinySweeps.ids(actual)).isEqualTo(TinySweeps.ids(expected));
    }

    /**
     * One sample an iteration and trial; after each, all idle groups close without another iteration, and each trial goes
     * on in a new group, where there are two devices on the other one.
     */
    private static final class Restless implements PackingPolicy {

        @Override
        public String name() {
            return "restless";
        }

        @Override
        public Decision decide(SweepState state) {
            if (state.groups().stream().anyMatch(group -> group.isIterating())) {
                return new Decision(List.of());
            }
            List<Action> actions = new ArrayList<>();
            state.groups().forEach(group -> {
                group.members().forEach(trial -> actions.add(new Action.Leave(group.id(), trial)));
                actions.add(new Action.CloseGroup(group.id()));
            });
            List<Integer> open = state.trials().stream()
                    .filter(trial -> trial.samplesDone() < trial.samplesTotal())
                    .map(TrialState::index)
                    .toList();
            int devices = state.devices().size();
            int round = state.nextGroup() / devices;
            for (int device = 0; device < devices; device++) {
                int mine = device;
                Set<Integer> members = open.stream()
                        .filter(trial -> (trial + round) % devices == mine)
                        .collect(Collectors.toSet());
                if (!members.isEmpty()) {
                    open(actions, state.nextGroup() + countOpened(actions), device, members);
                }
            }
            return new Decision(actions);
        }

        private static int countOpened(List<Action> actions) {
            return (int)
                    actions.stream().filter(Action.OpenGroup.class::isInstance).count();
        }

        private static void open(List<Action> actions, int group, int device, Set<Integer> members) {
            actions.add(new Action.OpenGroup(group, List.of(device)));
            members.forEach(trial -> actions.add(new Action.Join(group, trial)));
            TreeMap<Integer, Integer> samples = new TreeMap<>();
            members.forEach(trial -> samples.put(trial, 1));
            actions.add(new Action.Iterate(group, samples));
        }
    }
}
