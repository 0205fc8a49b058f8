package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.GroupTime;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What every policy promises, over random clusters and spaces, with failures, stragglers, noise and early stops. */
class RandomSweepsTest {

    /** How many sweeps of each kind: the planner of static jobs, an integer program a job, is slower than the others. */
    enum Policies {
        CONTINUOUS(500, true, time -> new ContinuousPacking()),
        GREEDY(200, false, time -> new GreedyPacking()),
        ONE_BY_ONE(200, false, time -> new OneByOne()),
        MIN_GPU(150, true, time -> new MinGpu()),
        MAX_GPU(150, true, time -> new MaxGpu()),
        DTM(20, true, time -> new DtmPacking()),
        SEQUENTIAL(10, true, SequentialPlora::new);

        private final int sweeps;
        private final boolean splits;
        private final Function<GroupTime, PackingPolicy> policy;

        /** @param splits whether it splits a model over devices */
        Policies(int sweeps, boolean splits, Function<GroupTime, PackingPolicy> policy) {
            this.sweeps = sweeps;
            this.splits = splits;
            this.policy = policy;
        }

        PackingPolicy of(RandomCluster cluster) {
            return policy.apply(cluster.time());
        }
    }

    @ParameterizedTest
    @EnumSource
    void promisesHoldOnDevicesThatHoldTheModel(Policies policy) {
        forEachSeed(policy.sweeps, seed -> {
            RandomCluster cluster = RandomCluster.ofLargeDevices(seed);
            requirePromises(policy, cluster, cluster.start());
        });
    }

    @ParameterizedTest
    @EnumSource
    void promisesHoldAfterARestart(Policies policy) {
        forEachSeed(policy.sweeps / 10, seed -> {
            RandomCluster cluster = RandomCluster.ofLargeDevices(seed);
            requirePromises(policy, cluster, cluster.resumed());
        });
    }

    @ParameterizedTest
    @EnumSource(names = {"CONTINUOUS", "MIN_GPU", "MAX_GPU", "DTM", "SEQUENTIAL"})
    void promisesHoldWhereAModelIsSplitOverDevices(Policies policy) {
        forEachSeed(policy.sweeps, seed -> {
            RandomCluster cluster = RandomCluster.ofSmallDevices(seed);
            requirePromises(policy, cluster, cluster.start());
        });
    }

    private static void requirePromises(Policies policy, RandomCluster cluster, SweepProgress progress) {
        Promises promises = new Promises(progress.state(), cluster::lengths, cluster.epochs());
        progress.observe(promises);

        SweepPlan plan = PlanSimulator.simulate(policy.of(cluster), progress, cluster.disturbances());

        promises.checkEnd();
        assertThat(plan.groups()).allSatisfy(group -> assertThat(group.end()).isLessThanOrEqualTo(plan.makespan()));
    }

    @ParameterizedTest
    @EnumSource
    void noPlanIsBelowTheLowerBound(Policies policy) {
        forEachSeed(
                policy.sweeps / 4,
                seed -> Stream.of(RandomCluster.ofLargeDevices(seed), RandomCluster.ofSmallDevices(seed))
                        .limit(policy.splits ? 2 : 1)
                        .forEach(cluster -> {
                            requireBound(PlanSimulator.simulate(policy.of(cluster), cluster.start()));
                            requireBound(PlanSimulator.simulate(policy.of(cluster), cluster.resumed()));
                        }));
    }

    private static void requireBound(SweepPlan plan) {
        assertThat(plan.makespan()).isGreaterThanOrEqualTo(plan.bound().seconds() * (1 - 1e-6));
    }

    private static void forEachSeed(int count, LongConsumer check) {
        LongStream.range(0, count).forEach(seed -> {
            try {
                check.accept(seed);
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("Sweep of seed (%d): %s".formatted(seed, e.getMessage()), e);
            }
        });
    }
}
