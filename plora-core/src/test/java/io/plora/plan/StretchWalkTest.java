package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.ImmutableSortedMap;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Action.Join;
import io.plora.plan.Action.OpenGroup;
import io.plora.plan.Sweeps.RandomSweep;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StretchWalkTest {

    @Test
    void filledIterationTakesWhatFitsSmallestBatchFirst() {
        // 60 bytes for tokens of 1 byte beside the adapters of 8 and 16
        SweepProgress sweep = Sweeps.sweep(
                        List.of(Sweeps.config(8, 3), Sweeps.config(16, 1)),
                        new int[] {20, 30, 10, 40, 25, 5},
                        1000,
                        1000 + 24 + 60)
                .build();
        sweep.decide(SweepProgressTest.fixed(
                new OpenGroup(0, List.of(0)),
                new Join(0, 0),
                new Join(0, 1),
                new Iterate(0, ImmutableSortedMap.of(0, 3, 1, 1), 3, true)));

        assertThat(sweep.state().nextIteration(0)).isEqualTo(Map.of(1, 1, 0, 1)); // 20 | 20, not 30
        sweep.finish(0, Map.of());
        assertThat(sweep.state().nextIteration(0)).isEqualTo(Map.of(1, 1, 0, 1)); // 30 | 30, not 10
        sweep.finish(0, Map.of());
        assertThat(sweep.state().nextIteration(0)).isEqualTo(Map.of(1, 1, 0, 1)); // 10 | 10: the batch ends
        sweep.finish(0, Map.of());

        assertThat(sweep.state().trial(0).samplesDone()).isEqualTo(3);
        assertThat(sweep.state().trial(1).samplesDone()).isEqualTo(3);
    }

    @Test
    void memberWhoseSampleDoesNotFitSitsTheIterationOut() {
        SweepProgress sweep = Sweeps.sweep(
                        List.of(Sweeps.config(8, 2), Sweeps.config(8, 1)), new int[] {50, 10, 20}, 1000, 1076)
                .build();
        sweep.decide(SweepProgressTest.fixed(
                new OpenGroup(0, List.of(0)),
                new Join(0, 0),
                new Join(0, 1),
                new Iterate(0, ImmutableSortedMap.of(0, 2, 1, 1), 2, true)));

        assertThat(sweep.state().nextIteration(0)).isEqualTo(Map.of(1, 1));
        sweep.finish(0, Map.of());
        assertThat(sweep.state().nextIteration(0)).isEqualTo(Map.of(1, 1, 0, 1));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
    void stretchFinishedAtOnceEndsWhereItEndsOneByOne(long seed) {
        RandomSweep random = Sweeps.random(seed);
        SweepProgress atOnce = random.start();
        SweepProgress oneByOne = random.start();
        List<SortedMap<Integer, Integer>> counts = new ArrayList<>();
        while (!atOnce.state().isDone()) {
            Decision decision = atOnce.decide(new ContinuousPacking());
            oneByOne.decide(SweepProgressTest.fixed(decision.actions().toArray(Action[]::new)));
            for (GroupState group : List.copyOf(atOnce.state().groups())) {
                Stretch stretch = group.stretch();
                if (stretch != null) {
                    for (int i = 0; i < stretch.repeat(); i++) {
                        counts.add(oneByOne.state().nextIteration(group.id()));
                        oneByOne.finish(group.id(), Map.of());
                    }
                    atOnce.finish(group.id(), stretch.repeat(), Map.of());
                }
            }
            assertThat(samplesDone(oneByOne)).isEqualTo(samplesDone(atOnce));
        }
        assertThat(counts).allSatisfy(count -> assertThat(count).isNotEmpty());
    }

    private static SortedMap<Integer, Long> samplesDone(SweepProgress sweep) {
        SortedMap<Integer, Long> done = new TreeMap<>();
        sweep.state().trials().forEach(trial -> done.put(trial.index(), trial.samplesDone()));
        return done;
    }
}
