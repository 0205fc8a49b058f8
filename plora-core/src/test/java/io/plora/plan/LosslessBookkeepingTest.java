package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.collect.ArrayListMultimap;
import com.google.common.collect.ListMultimap;
import com.google.common.primitives.Ints;
import io.plora.plan.Action.Iterate;
import io.plora.plan.Sweeps.RandomSweep;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever the policy and the sweep: every trial trains every sample of every epoch once, and no limit is exceeded. */
class LosslessBookkeepingTest {

    static Stream<Arguments> sweeps() {
        return LongStream.range(0, 25)
                .boxed()
                .flatMap(seed -> Stream.of(new OneByOne(), new GreedyPacking())
                        .map(policy -> Arguments.of(policy.name(), policy, seed)));
    }

    @ParameterizedTest(name = "{0}, sweep {2}")
    @MethodSource("sweeps")
    void everySampleOnceAnEpochWithinAllLimits(String name, PackingPolicy policy, long seed) {
        RandomSweep sweep = Sweeps.random(seed);
        SweepProgress progress = sweep.start();
        LimitCheck check = new LimitCheck(sweep);
        progress.observe(check);

        SweepPlan plan = PlanSimulator.simulate(policy, progress);

        for (TrialState trial : progress.state().trials()) {
            int[] expected = IntStream.range(0, sweep.epochs())
                    .flatMap(epoch -> Arrays.stream(sweep.lengths().lengths(trial.index(), epoch)))
                    .toArray();
            assertThat(check.trained.get(trial.index()))
                    .containsExactly(Arrays.stream(expected).boxed().toArray(Integer[]::new));
            assertThat(check.ended.get(trial.index())).isEqualTo(EndReason.COMPLETED);
        }
        assertThat(plan.tokens())
                .isEqualTo(check.trained.values().stream()
                        .mapToLong(length -> length)
                        .sum());
        assertThat(plan.groups().stream()
                        .flatMap(group -> group.members().stream())
                        .mapToLong(SweepPlan.MemberPlan::samples)
                        .sum())
                .isEqualTo((long) sweep.configs().size() * sweep.samples() * sweep.epochs());
    }

    @ParameterizedTest(name = "{0}, sweep {2}")
    @MethodSource("sweeps")
    void equalSweepsHaveEqualPlans(String name, PackingPolicy policy, long seed) {
        SweepPlan plan = PlanSimulator.simulate(policy, Sweeps.random(seed).start());
        SweepPlan again = PlanSimulator.simulate(policy, Sweeps.random(seed).start());

        assertThat(again.groups()).isEqualTo(plan.groups());
        assertThat(again.decisions()).isEqualTo(plan.decisions());
        assertThat(again.bound()).isEqualTo(plan.bound());
    }

    /** Checks limits with arithmetic of its own and notes what is trained. */
    private static final class LimitCheck implements SweepObserver {
        private final RandomSweep sweep;
        private final ListMultimap<Integer, Integer> trained = ArrayListMultimap.create();
        private final Map<Integer, EndReason> ended = new HashMap<>();

        LimitCheck(RandomSweep sweep) {
            this.sweep = sweep;
        }

        @Override
        public void decided(Decision decision, SweepState after) {
            for (Action action : decision.actions()) {
                if (action instanceof Iterate iterate) {
                    iterate(after.group(iterate.group()), after);
                }
            }
        }

        private void iterate(GroupState group, SweepState state) {
            int samples = 0;
            long tokens = 0;
            for (Map.Entry<Integer, Integer> entry : group.iteration().entrySet()) {
                int count = entry.getValue();
                samples += count;
                tokens += train(state.trial(entry.getKey()), count);
            }
            if (samples > 1) {
                assertThat(tokens).isLessThanOrEqualTo(sweep.tokenBudget());
            }
            long adapters = group.members().stream()
                    .mapToLong(member -> sweep.configs().get(member).rank())
                    .sum();
            assertThat(1000 + adapters + tokens)
                    .isLessThanOrEqualTo(
                            sweep.devices().get(group.devices().get(0)).memoryBytes());
        }

        private long train(TrialState trial, int count) {
            int done = trained.get(trial.index()).size();
            int position = done % sweep.samples();
            int batch = trial.config().batchSize();
            assertThat(position + count).as("end of the epoch").isLessThanOrEqualTo(sweep.samples());
            assertThat((position + count - 1) / batch).as("batch").isEqualTo(position / batch);
            int[] lengths = sweep.lengths().lengths(trial.index(), done / sweep.samples());
            trained.putAll(trial.index(), Ints.asList(lengths).subList(position, position + count));
            return Arrays.stream(lengths, position, position + count).sum();
        }

        @Override
        public void finished(GroupState group, int iterations, SortedMap<Integer, Integer> samples) {}

        @Override
        public void lost(int device) {}

        @Override
        public void ended(TrialState trial, EndReason reason) {
            assertThat(ended.put(trial.index(), reason)).isNull();
        }
    }
}
