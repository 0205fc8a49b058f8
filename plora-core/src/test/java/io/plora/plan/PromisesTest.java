package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableSortedMap;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.OpenGroup;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** The check of what sweeps promise sees what it is there for: a sound sweep is reported to it with one fault. */
class PromisesTest {
    private static final int[] LENGTHS = {20, 40, 60, 10, 30, 50, 25, 35, 45, 55};
    private static final int DEVICES = 2;

    private final SweepProgress progress = Sweeps.sweep(
                    List.of(Sweeps.config(64, 1), Sweeps.config(64, 2), Sweeps.config(64, 4), Sweeps.config(32, 8)),
                    LENGTHS,
                    200,
                    1_350)
            .withDevices(List.of(new DeviceState(0, 1_350), new DeviceState(1, 1_350)))
            .build();

    /** Tells the promises what happens, once in other words. */
    private static class Tampering implements SweepObserver {
        private final Promises promises;

        Tampering(Promises promises) {
            this.promises = promises;
        }

        List<Action> actions(List<Action> actions) {
            return actions;
        }

        SortedMap<Integer, Integer> samples(SortedMap<Integer, Integer> samples) {
            return samples;
        }

        @Override
        public void decided(Decision decision, SweepState after) {
            promises.decided(new Decision(actions(decision.actions())), after);
        }

        @Override
        public void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples) {
            promises.finished(group, iterations, samples(samples));
        }

        @Override
        public void ended(TrialState trial, EndReason reason) {
            promises.ended(trial, reason);
        }

        @Override
        public void lost(int device) {
            promises.lost(device);
        }
    }

    private Promises promises() {
        return new Promises(progress.state(), (trial, epoch) -> LENGTHS, 1);
    }

    private void run(SweepObserver observer) {
        progress.observe(observer);
        PlanSimulator.simulate(new GreedyPacking(), progress);
    }

    private void requireSeen(UnaryOperator<List<Action>> decisions, String what) {
        Tampering tampering = new Tampering(promises()) {
            @Override
            List<Action> actions(List<Action> actions) {
                return decisions.apply(actions);
            }
        };
        assertThatThrownBy(() -> run(tampering))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining(what);
    }

    private void requireSamplesSeen(int change, String what) {
        Tampering tampering = new Tampering(promises()) {
            @Override
            SortedMap<Integer, Integer> samples(SortedMap<Integer, Integer> samples) {
                int trial = samples.lastKey();
                return ImmutableSortedMap.<Integer, Integer>naturalOrder()
                        .putAll(samples.headMap(trial))
                        .put(trial, samples.get(trial) + change)
                        .build();
            }
        };
        assertThatThrownBy(() -> run(tampering))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining(what);
    }

    @Test
    void soundSweepKeepsThem() {
        Promises promises = promises();

        run(new Tampering(promises));

        promises.checkEnd();
        assertThat(progress.state().isDone()).isTrue();
    }

    @Test
    void skippedSampleIsSeen() {
        requireSamplesSeen(1, "samples of trial");
    }

    @Test
    void repeatedSampleIsSeen() {
        requireSamplesSeen(-1, "samples of trial");
    }

    @Test
    void iterationThatIsForgottenIsSeen() {
        SweepObserver forgetful = new Tampering(promises()) {
            @Override
            public void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples) {
                if (group.iterations() > 0) {
                    super.finished(group, iterations, samples);
                }
            }
        };

        assertThatThrownBy(() -> run(forgetful)).isInstanceOf(AssertionError.class);
    }

    @Test
    void trialThatIsSaidToHaveCompletedEarlyIsSeen() {
        Promises promises = promises();
        progress.observe(promises);
        progress.decide(new GreedyPacking());
        int trial = progress.state().group(0).members().first();

        assertThatThrownBy(() -> promises.ended(progress.state().trial(trial), EndReason.COMPLETED))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("all samples");
    }

    @Test
    void trialThatNeverEndsIsSeen() {
        Promises promises = promises();
        progress.observe(promises);
        progress.decide(new GreedyPacking());

        assertThatThrownBy(promises::checkEnd).hasMessageContaining("all trials end");
    }

    @Test
    void deviceInTwoGroupsIsSeen() {
        requireSeen(
                actions -> {
                    List<Action> changed = new ArrayList<>(actions);
                    changed.add(new OpenGroup(DEVICES, List.of(0)));
                    return changed;
                },
                "no device in two groups");
    }

    @Test
    void trialInTwoGroupsIsSeen() {
        requireSeen(
                actions -> {
                    List<Action> changed = new ArrayList<>(actions);
                    actions.stream()
                            .filter(Join.class::isInstance)
                            .map(Join.class::cast)
                            .filter(join -> join.group() == 0)
                            .findFirst()
                            .ifPresent(join -> changed.add(changed.size() - 1, new Join(1, join.trial())));
                    return changed;
                },
                "is in no group");
    }

    @Test
    void memberThatMemoryDoesNotHoldIsSeen() {
        requireSeen(
                actions -> List.of(
                        new OpenGroup(0, List.of(0)),
                        new Join(0, 0),
                        new Join(0, 1),
                        new Join(0, 2),
                        new Join(0, 3),
                        new Iterate(0, ImmutableSortedMap.of(0, 1, 1, 2, 2, 4, 3, 8))),
                "memory of an iteration");
    }
}
