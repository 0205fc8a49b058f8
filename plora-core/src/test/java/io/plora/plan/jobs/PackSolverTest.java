package io.plora.plan.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import com.google.common.primitives.ImmutableIntArray;
import io.plora.cost.GroupTime;
import io.plora.cost.GroupWork;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PackSolverTest {
    /** Launches, weights read or products computed, adapters read or products computed, optimizer: convex with two kinks. */
    static final GroupTime ROOFLINE = (work, degree) -> 0.004
            + Math.max(0.02, work.tokens() * 3e-5) / degree
            + work.attentionPairs() * 1e-8
            + Math.max(work.lowRankParameters() * 2e-10, work.lowRankOperations() * 3e-14)
            + work.steppedParameters() * 1e-10
            + work.adapters() * 1e-4;

    static final GroupTime AFFINE = (work, degree) -> 0.01 + work.tokens() * 3e-5 / degree;

    static MemberKind kind(int rank, int batch, int samples, int length) {
        long parameters = rank * 1_000_000L;
        double tokens = (double) batch * length;
        GroupWork work = GroupWork.of(parameters, tokens, batch, tokens * (length + 1) / 2, 1);
        return new MemberKind(rank, (samples + batch - 1) / batch, work, rank * 18L + batch * 10L, batch * length);
    }

    static ThroughputProblem random(Random random, GroupTime time, int kinds, int most) {
        List<MemberKind> drawn = new ArrayList<>();
        int[] available = new int[kinds];
        long bytes = 0;
        for (int i = 0; i < kinds; i++) {
            drawn.add(kind(8 << random.nextInt(5), 1 << random.nextInt(6), 500, 100 + random.nextInt(900)));
            available[i] = 1 + random.nextInt(most);
            bytes += available[i] * drawn.get(i).bytes();
        }
        long memory = (long) (bytes * random.nextDouble());
        return new ThroughputProblem(
                drawn,
                ImmutableIntArray.copyOf(available),
                memory,
                20_000 + random.nextInt(80_000),
                time,
                1 << random.nextInt(3));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19})
    void packIsAsGoodAsTheBestOfAll(int seed) {
        Random random = new Random(seed);
        ThroughputProblem problem = random(random, ROOFLINE, 2 + random.nextInt(11), 1);

        PackSolver.Solved solved = PackSolver.solve(problem);
        Pack pack = solved.pack();

        double best = exhaustive(problem);
        assertThat(problem.admits(pack.counts().toArray())).isTrue();
        assertThat(pack.throughput()).isCloseTo(best, within(best * 1e-5));
        assertThat(solved.bound()).isGreaterThanOrEqualTo(best * (1 - 1e-9));
    }

    private static double exhaustive(ThroughputProblem problem) {
        double best = 0;
        int kinds = problem.kinds().size();
        for (int subset = 1; subset < 1 << kinds; subset++) {
            int[] counts = new int[kinds];
            for (int kind = 0; kind < kinds; kind++) {
                counts[kind] = subset >> kind & 1;
            }
            if (problem.admits(counts)) {
                best = Math.max(best, problem.throughput(counts));
            }
        }
        return best;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4})
    void severalMembersOfAKindAreAsManyKinds(int seed) {
        Random random = new Random(seed);
        ThroughputProblem problem = random(random, ROOFLINE, 3, 3);
        List<MemberKind> single = new ArrayList<>();
        for (int kind = 0; kind < 3; kind++) {
            single.addAll(
                    Collections.nCopies(problem.most(kind), problem.kinds().get(kind)));
        }
        int[] ones = new int[single.size()];
        Arrays.fill(ones, 1);
        ThroughputProblem spread = new ThroughputProblem(
                single,
                ImmutableIntArray.copyOf(ones),
                problem.memoryBytes(),
                problem.tokenBudget(),
                ROOFLINE,
                problem.degree());

        double best = exhaustive(spread);

        assertThat(PackSolver.solve(problem).pack().throughput()).isCloseTo(best, within(best * 1e-5));
    }

    /** With equal iterations and an affine time, rank / T is a fractional knapsack: for every memory the best (rank, time). */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4})
    void additiveCaseAgreesWithDynamicProgrammingOverMemory(int seed) {
        Random random = new Random(seed);
        List<MemberKind> kinds = new ArrayList<>();
        int[] available = new int[15];
        for (int i = 0; i < available.length; i++) {
            GroupWork work = GroupWork.of(1000, 1 + random.nextInt(5000), 1, 1, 1);
            kinds.add(new MemberKind(1 + random.nextInt(128), 100, work, 1 + random.nextInt(40), 0));
            available[i] = 1 + random.nextInt(4);
        }
        ThroughputProblem problem =
                new ThroughputProblem(kinds, ImmutableIntArray.copyOf(available), 150, 0, AFFINE, 1);

        double best = byDynamicProgramming(problem);

        assertThat(PackSolver.solve(problem).pack().throughput()).isCloseTo(best, within(best * 1e-5));
    }

    /** Dinkelbach's iteration; inside, the knapsack of rank - lambda T over memory. */
    private static double byDynamicProgramming(ThroughputProblem problem) {
        int memory = (int) problem.memoryBytes();
        double lambda = 0;
        while (true) {
            double[] best = new double[memory + 1];
            int[][] packs = new int[memory + 1][problem.kinds().size()];
            for (int index = 0; index < problem.kinds().size(); index++) {
                MemberKind kind = problem.kinds().get(index);
                double gain = kind.rank() - lambda * 100 * kind.work().tokens() * 3e-5;
                for (int copy = 0; copy < problem.most(index); copy++) {
                    for (int bytes = memory; bytes >= kind.bytes(); bytes--) {
                        int rest = (int) (bytes - kind.bytes());
                        if (best[rest] + gain > best[bytes]) {
                            best[bytes] = best[rest] + gain;
                            packs[bytes] = packs[rest].clone();
                            packs[bytes][index]++;
                        }
                    }
                }
            }
            double next = problem.throughput(packs[memory]);
            if (next <= lambda * (1 + 1e-12)) {
                return lambda;
            }
            lambda = next;
        }
    }

    @Test
    void jobLastsAsLongAsItsLongestMember() {
        List<MemberKind> kinds = List.of(
                new MemberKind(8, 100, GroupWork.of(1, 1000, 1, 1, 1), 1, 0),
                new MemberKind(16, 25, GroupWork.of(1, 4000, 4, 1, 1), 1, 0));
        ThroughputProblem problem = new ThroughputProblem(kinds, ImmutableIntArray.of(2, 1), 10, 1000, AFFINE, 1);

        assertThat(problem.seconds(new int[] {0, 0})).isZero();
        assertThat(problem.seconds(new int[] {1, 0})).isCloseTo(100 * 0.04, within(1e-9));
        // 25 iterations of 6000 tokens, 75 of 2000
        assertThat(problem.seconds(new int[] {2, 1})).isCloseTo(25 * 0.19 + 75 * 0.07, within(1e-9));
    }

    @Test
    void shortJobMayTrainMoreRankASecondThanAFullOne() {
        // the long member would hold up the job for little rank
        List<MemberKind> kinds = List.of(
                new MemberKind(8, 1000, GroupWork.of(1, 100, 1, 1, 1), 1, 0),
                new MemberKind(64, 10, GroupWork.of(1, 100, 1, 1, 1), 1, 0));
        ThroughputProblem problem = new ThroughputProblem(kinds, ImmutableIntArray.of(1, 3), 10, 1000, AFFINE, 1);

        assertThat(PackSolver.solve(problem).pack().counts()).isEqualTo(ImmutableIntArray.of(0, 3));
    }

    @Test
    void packIsEmptyWhereMemoryHoldsNoMember() {
        ThroughputProblem problem =
                new ThroughputProblem(List.of(kind(8, 1, 10, 10)), ImmutableIntArray.of(1), 10, 1000, AFFINE, 1);

        assertThat(PackSolver.solve(problem).pack().isEmpty()).isTrue();
    }

    @Test
    void equalProblemsHaveEqualPacks() {
        PackSolver.Solved first = PackSolver.solve(random(new Random(7), ROOFLINE, 30, 4));

        assertThat(PackSolver.solve(random(new Random(7), ROOFLINE, 30, 4))).isEqualTo(first);
    }

    @Test
    void kindsAndTheirNumbersMustAgree() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ThroughputProblem(List.of(), ImmutableIntArray.of(1), 10, 1000, AFFINE, 1))
                .withMessage("There are (0) kinds of members, but numbers of (1).");
    }

    @Test
    void memberWithoutIterationsIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new MemberKind(8, 0, GroupWork.NONE, 1, 1))
                .withMessage("Member of a job: iterations (0) must be at least 1.");
    }
}
