package io.plora.plan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.cost.GroupTime;
import io.plora.plan.jobs.JobSchedule.PlannedJob;
import io.plora.plan.jobs.Workload.Degree;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JobPlannerTest {

    /** Kinds by rank and batch size; devices of a job share what members hold. */
    static Workload workload(int[] ranks, int[] batches, long memory, GroupTime time, int... degrees) {
        List<Degree> list = new ArrayList<>();
        for (int degree : degrees) {
            List<MemberKind> kinds = new ArrayList<>();
            for (int rank : ranks) {
                for (int batch : batches) {
                    MemberKind kind = PackSolverTest.kind(rank, batch, 7473, 256);
                    kinds.add(
                            new MemberKind(rank, kind.iterations(), kind.work(), kind.bytes() / degree, kind.tokens()));
                }
            }
            list.add(new Degree(degree, memory, kinds));
        }
        return new Workload(list, 100_000, time);
    }

    static ImmutableIntArray each(int kinds, int count) {
        int[] counts = new int[kinds];
        Arrays.fill(counts, count);
        return ImmutableIntArray.copyOf(counts);
    }

    private static final int[] RANKS = {8, 16, 32, 64, 128};
    private static final int[] BATCHES = {1, 2, 4, 8, 16, 32};

    @Test
    void everyTrialTrainsOnceAndNeitherMemoryNorTokensNorDevicesAreExceeded() {
        for (int seed = 0; seed < 40; seed++) {
            Random random = new Random(seed);
            long memory = 2700 + random.nextInt(5000);
            Workload workload = workload(RANKS, BATCHES, memory, PackSolverTest.ROOFLINE, 1, 2, 4);
            ImmutableIntArray trials = ImmutableIntArray.copyOf(random.ints(30, 0, 4));
            int devices = 1 + random.nextInt(8);

            JobSchedule schedule = JobPlanner.plan(workload, trials, devices);

            int[] trained = new int[30];
            for (PlannedJob job : schedule.jobs()) {
                requireHolds(workload, job, seed);
                for (int kind = 0; kind < 30; kind++) {
                    trained[kind] += job.pack().counts().get(kind);
                }
                int busy = schedule.jobs().stream()
                        .filter(other -> other.start() <= job.start() && other.end() > job.start())
                        .mapToInt(PlannedJob::devices)
                        .sum();
                assertThat(busy).as("devices of seed %d", seed).isLessThanOrEqualTo(devices);
            }
            assertThat(trained).as("trials of seed %d", seed).containsExactly(trials.toArray());
        }
    }

    private static void requireHolds(Workload workload, PlannedJob job, int seed) {
        Degree degree = workload.degrees().stream()
                .filter(candidate -> candidate.devices() == job.devices())
                .findFirst()
                .orElseThrow();
        long bytes = 0;
        long tokens = 0;
        for (int kind = 0; kind < degree.kinds().size(); kind++) {
            int count = job.pack().counts().get(kind);
            bytes += count * degree.kinds().get(kind).bytes();
            tokens += count * degree.kinds().get(kind).tokens();
        }
        assertThat(bytes).as("bytes of seed %d", seed).isLessThanOrEqualTo(degree.memoryBytes());
        assertThat(tokens).as("tokens of seed %d", seed).isLessThanOrEqualTo(workload.tokenBudget());
    }

    /** Theorem D.1; all fit on one device, so that none is idle while a trial waits. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5})
    void makespanOverEvenWorkStaysBelowTheTheoremsRatio(int seed) {
        Random random = new Random(seed);
        Workload workload = workload(RANKS, BATCHES, 2700 + random.nextInt(5000), PackSolverTest.ROOFLINE, 1, 2, 4, 8);

        JobSchedule schedule = JobPlanner.plan(workload, ImmutableIntArray.copyOf(random.ints(30, 1, 5)), 8);

        assertThat(schedule.makespan() / schedule.evenSeconds())
                .isBetween(1.0, schedule.approximationRatio() * (1 + 1e-9));
    }

    @Test
    void theoremsRatioByHand() {
        Pack pack = new Pack(ImmutableIntArray.of(1), 8, 10);
        JobSchedule schedule = new JobSchedule(
                List.of(new PlannedJob(3, pack, 0), new PlannedJob(1, pack, 0), new PlannedJob(1, pack, 10)), 4);

        // F = 20, T_last = 10, G = 4, D = 1
        assertThat(schedule.approximationRatio()).isCloseTo(20 / (20 - 10 * 3 / 4.0), within(1e-12));
        assertThat(schedule.evenSeconds()).isCloseTo(50 / 4.0, within(1e-12));
    }

    @Test
    void trialThatNeedsSeveralDevicesGetsThem() {
        Workload workload = workload(new int[] {8, 128}, new int[] {1}, 1500, PackSolverTest.AFFINE, 1, 2);

        JobSchedule schedule = JobPlanner.plan(workload, ImmutableIntArray.of(3, 1), 3);

        assertThat(schedule.jobs())
                .filteredOn(job -> job.pack().counts().get(1) == 1)
                .extracting(PlannedJob::devices)
                .containsExactly(2);
    }

    @Test
    void trialThatFitsNoJobIsRefused() {
        Workload workload = workload(new int[] {8, 128}, new int[] {1}, 1000, PackSolverTest.AFFINE, 1, 2);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> JobPlanner.plan(workload, ImmutableIntArray.of(1, 1), 2))
                .withMessageContaining("fit no job on (2) devices");
    }

    @Test
    void equalSweepsHaveEqualSchedules() {
        Workload workload = workload(RANKS, BATCHES, 4000, PackSolverTest.ROOFLINE, 1, 2, 4, 8);

        assertThat(JobPlanner.plan(workload, each(30, 2), 8)).isEqualTo(JobPlanner.plan(workload, each(30, 2), 8));
    }
}
