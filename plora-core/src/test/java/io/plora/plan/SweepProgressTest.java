package io.plora.plan;

import static io.plora.plan.Sweeps.config;
import static io.plora.plan.Sweeps.sweep;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.collect.ImmutableSortedMap;
import com.google.common.primitives.ImmutableIntArray;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.Leave;
import io.plora.plan.Action.OpenGroup;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class SweepProgressTest {
    private final SweepProgress progress = sweep(
                    List.of(config(8, 2), config(16, 1)), new int[] {10, 20, 30}, 100, 2000)
            .withEpochs(2)
            .build();

    private void decide(Action... actions) {
        progress.decide(fixed(actions));
    }

    static PackingPolicy fixed(Action... actions) {
        return new PackingPolicy() {
            @Override
            public String name() {
                return "fixed";
            }

            @Override
            public Decision decide(SweepState state) {
                return new Decision(List.of(actions));
            }
        };
    }

    private static Iterate iterate(Map<Integer, Integer> samples) {
        return new Iterate(0, ImmutableSortedMap.copyOf(samples));
    }

    @Test
    void batchesDoNotSpanEpochs() {
        TrialState trial = progress.state().trial(0);
        assertThat(trial.phase()).isEqualTo(Phase.WAITING);
        assertThat(trial.samplesTotal()).isEqualTo(6);
        assertThat(trial.stepsLeft()).isEqualTo(4);
        assertThat(trial.nextLengths()).isEqualTo(ImmutableIntArray.of(10, 20));

        decide(new OpenGroup(0, List.of(0)), new Join(0, 0), iterate(Map.of(0, 1)));
        progress.finish(0, Map.of());
        assertThat(progress.state().trial(0).nextLengths()).isEqualTo(ImmutableIntArray.of(20));
        assertThat(progress.state().trial(0).stepsLeft()).isEqualTo(4);

        decide(iterate(Map.of(0, 1)));
        progress.finish(0, Map.of());
        assertThat(progress.state().trial(0).nextLengths()).isEqualTo(ImmutableIntArray.of(30));
        assertThat(progress.state().trial(0).stepsLeft()).isEqualTo(3);

        decide(iterate(Map.of(0, 1)));
        progress.finish(0, Map.of());
        assertThat(progress.state().trial(0).nextLengths()).isEqualTo(ImmutableIntArray.of(10, 20));
        assertThat(progress.state().trial(0).samplesDone()).isEqualTo(3);
    }

    @Test
    void trialEndsWhenAllItsSamplesAreDone() {
        decide(new OpenGroup(0, List.of(0)), new Join(0, 0), new Join(0, 1), iterate(Map.of(0, 2, 1, 1)));
        assertThat(progress.finish(0, Map.of())).isEmpty();
        for (int samples : new int[] {1, 2}) {
            decide(iterate(Map.of(0, samples)));
            assertThat(progress.finish(0, Map.of())).isEmpty();
        }
        decide(iterate(Map.of(0, 1)));

        assertThat(progress.finish(0, Map.of())).containsExactly(Map.entry(0, EndReason.COMPLETED));
        assertThat(progress.state().trial(0).phase()).isEqualTo(Phase.ENDED);
        assertThat(progress.state().trial(0).stepsLeft()).isZero();
        assertThat(progress.state().trial(0).nextLengths().isEmpty()).isTrue();
        assertThat(progress.state().group(0).members()).containsExactly(1);
        assertThat(progress.state().isDone()).isFalse();
    }

    @Test
    void memberThatFailsLeavesWhenItsIterationIsFinished() {
        decide(new OpenGroup(0, List.of(0)), new Join(0, 0), new Join(0, 1), iterate(Map.of(0, 2, 1, 1)));

        assertThatThrownBy(() -> progress.end(1, EndReason.CANCELLED))
                .hasMessage("Trial (1) is in an iteration; it can end when that is finished.");
        assertThat(progress.finish(0, Map.of(1, EndReason.FAILED))).containsExactly(Map.entry(1, EndReason.FAILED));
        assertThat(progress.state().group(0).members()).containsExactly(0);
    }

    @Test
    void failureInTheLastIterationIsNoCompletion() {
        SweepProgress single =
                sweep(List.of(config(8, 1)), new int[] {10}, 100, 2000).build();
        single.decide(fixed(new OpenGroup(0, List.of(0)), new Join(0, 0), iterate(Map.of(0, 1))));

        assertThat(single.finish(0, Map.of(0, EndReason.FAILED))).containsExactly(Map.entry(0, EndReason.FAILED));
        assertThat(single.state().isDone()).isTrue();
    }

    @Test
    void waitingTrialCanBeCancelled() {
        progress.end(1, EndReason.CANCELLED);

        assertThat(progress.state().waiting()).extracting(TrialState::index).containsExactly(0);
        assertThatThrownBy(() -> progress.end(1, EndReason.CANCELLED)).hasMessage("Trial (1) has already ended.");
        assertThatThrownBy(() -> progress.end(0, EndReason.COMPLETED)).hasMessageContaining("completes by itself");
    }

    @Test
    void pausedTrialGoesOnWhereItWas() {
        decide(new OpenGroup(0, List.of(0)), new Join(0, 0), new Join(0, 1), iterate(Map.of(0, 1, 1, 1)));
        progress.finish(0, Map.of());
        decide(new Leave(0, 0), iterate(Map.of(1, 1)));
        progress.finish(0, Map.of());
        assertThat(progress.state().trial(0).phase()).isEqualTo(Phase.WAITING);
        assertThat(progress.state().trial(0).samplesDone()).isEqualTo(1);

        decide(new Join(0, 0), iterate(Map.of(0, 1)));
        progress.finish(0, Map.of());
        assertThat(progress.state().trial(0).samplesDone()).isEqualTo(2);
    }

    @Test
    void observersSeeEverythingInOrder() {
        List<String> seen = new ArrayList<>();
        progress.observe(new SweepObserver() {
            @Override
            public void decided(Decision decision, SweepState after) {
                seen.add("decided " + decision.actions().size() + ", iterating "
                        + after.group(0).isIterating());
            }

            @Override
            public void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples) {
                seen.add("finished " + iterations + " after " + group.iterations() + " with " + samples);
            }

            @Override
            public void lost(int device) {
                seen.add("lost " + device);
            }

            @Override
            public void ended(TrialState trial, EndReason reason) {
                seen.add("ended " + trial.index() + " after " + trial.samplesDone() + ": " + reason);
            }
        });
        decide(new OpenGroup(0, List.of(0)), new Join(0, 1), iterate(Map.of(1, 1)));
        progress.finish(0, Map.of(1, EndReason.STOPPED_EARLY));
        progress.lose(0);

        assertThat(seen)
                .containsExactly(
                        "decided 3, iterating true",
                        "finished 1 after 0 with {1=1}",
                        "ended 1 after 1: STOPPED_EARLY",
                        "lost 0");
    }

    @Test
    void policyThatLetsNothingRunIsNamed() {
        assertThatThrownBy(this::decide)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("Policy (fixed) lets nothing run, although (2) trials have not ended");
    }

    @Test
    void impossibleDecisionChangesNothing() {
        assertThatThrownBy(() -> decide(new OpenGroup(0, List.of(0)), new Join(0, 0), new Join(0, 5)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(progress.state().groups()).isEmpty();
        assertThat(progress.state().freeDevices()).hasSize(1);
        assertThat(progress.state().waiting()).extracting(TrialState::index).containsExactly(1, 0);
    }

    @Test
    void stretchEndsWithTheLastIterationAMemberOrAnInterruption() {
        decide(
                new OpenGroup(0, List.of(0)),
                new Join(0, 0),
                new Join(0, 1),
                new Iterate(0, new TreeMap<>(Map.of(0, 2, 1, 1)), 2));
        progress.finish(0, Map.of());
        assertThat(progress.state().group(0).isIterating()).isTrue();
        assertThat(progress.state().trial(0).samplesDone()).isEqualTo(2);
        assertThatThrownBy(() -> progress.finish(0, 2, Map.of()))
                .hasMessage("Group (0) cannot finish (2) iterations, it has (1) left.");
        progress.finish(0, Map.of());
        assertThat(progress.state().group(0).isIterating()).isFalse();
        assertThat(progress.state().trial(0).samplesDone())
                .as("the epoch's last batch is short")
                .isEqualTo(3);

        decide(new Iterate(0, new TreeMap<>(Map.of(0, 1)), 2));
        progress.interrupt(0);
        assertThat(progress.state().group(0).isIterating()).isFalse();
        decide(new Iterate(0, new TreeMap<>(Map.of(0, 1)), 2));
        progress.finish(0, Map.of(1, EndReason.FAILED));
        assertThat(progress.state().group(0).isIterating())
                .as("after a failure")
                .isFalse();
    }

    @Test
    void membersOfALostDeviceWaitWhereTheirLastBatchEnded() {
        decide(new OpenGroup(0, List.of(0)), new Join(0, 0), new Join(0, 1), iterate(Map.of(0, 1, 1, 1)));
        progress.finish(0, Map.of());
        progress.lose(0);

        assertThat(progress.state().devices()).isEmpty();
        assertThat(progress.state().groups()).isEmpty();
        assertThat(progress.state().trial(0).samplesDone()).isZero();
        assertThat(progress.state().trial(1).samplesDone()).isEqualTo(1);
        assertThat(progress.state().waiting()).hasSize(2);
        assertThatThrownBy(() -> progress.lose(0)).hasMessage("There is no device (0).");
    }

    @Test
    void finishNeedsAnIteration() {
        decide(new OpenGroup(0, List.of(0)), new Join(0, 1), iterate(Map.of(1, 1)));

        assertThatThrownBy(() -> progress.finish(0, Map.of(0, EndReason.FAILED)))
                .hasMessage("Trial (0) is no member of group (0).");
        progress.finish(0, Map.of());
        assertThatThrownBy(() -> progress.finish(0, Map.of())).hasMessage("Group (0) is in no iteration.");
    }

    @Test
    void badSweepIsRefused() {
        int[] lengths = {10};
        assertThatThrownBy(() -> sweep(List.of(), lengths, 100, 2000).build())
                .hasMessage("A sweep needs at least one configuration.");
        assertThatThrownBy(() ->
                        sweep(List.of(config(8, 1)), new int[0], 100, 2000).build())
                .hasMessage("There is no training sample.");
        assertThatThrownBy(() -> sweep(List.of(config(8, 1)), lengths, 0, 2000).build())
                .hasMessage("Token budget (0) must be at least 1.");
        assertThatThrownBy(() -> sweep(List.of(config(8, 1)), lengths, 100, 2000)
                        .withEpochs(0)
                        .build())
                .hasMessage("Epochs (0) must be at least 1.");
        assertThatThrownBy(() -> sweep(List.of(config(8, 1)), lengths, 100, 2000)
                        .withDevices(List.of())
                        .build())
                .hasMessage("A sweep needs at least one device.");
        assertThatThrownBy(() -> sweep(List.of(config(8, 1)), lengths, 100, 2000)
                        .withDevices(List.of(new DeviceState(0, 1), new DeviceState(0, 2)))
                        .build())
                .hasMessageStartingWith("A device is named twice");
    }

    @Test
    void trialsThatSeeDifferentSamplesAreRefused() {
        assertThatThrownBy(() -> sweep(List.of(config(8, 1), config(4, 1)), new int[0], 100, 2000)
                        .withLengths((trial, epoch) -> trial == 0 ? new int[] {10, 20} : new int[] {10})
                        .build())
                .hasMessageMatching(
                        "Trial \\(1, r4-.*\\) has \\(1\\) samples in epoch \\(0\\), the first trial has \\(2\\)\\.");
        assertThatThrownBy(() -> sweep(List.of(config(8, 1), config(4, 1)), new int[0], 100, 2000)
                        .withLengths((trial, epoch) -> new int[] {10 + trial})
                        .build())
                .hasMessageContaining(
                        "has a sample of (11) tokens in epoch (0), the first trial's have from 1 to (10)");
    }
}
