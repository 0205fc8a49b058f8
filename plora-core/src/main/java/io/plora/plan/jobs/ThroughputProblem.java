package io.plora.plan.jobs;

import com.google.common.collect.ImmutableList;
import com.google.common.primitives.ImmutableIntArray;
import io.plora.cost.GroupTime;
import io.plora.cost.GroupWork;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * PLoRA's F(d, K): the static job on d devices that trains the most rank a second. A pack says how many members of each kind
 * it has; memory and token budget must hold it, and it is worth (sum of ranks) / T.
 *
 * <p>T is the job's duration. All members train from its start; in each iteration every member that still has one takes part.
 * A member that has done its last drops out and nobody takes its place. With the distinct numbers of iterations
 * {@code 0 = n_0 < n_1 < ... < n_m}: {@code T = sum over p of (n_p - n_(p-1)) x seconds(work of members with n_p iterations
 * or more)}.
 */
public final class ThroughputProblem {
    private final List<MemberKind> kinds;
    private final ImmutableIntArray available;
    private final long memoryBytes;
    private final long tokenBudget;
    private final GroupTime time;
    private final int degree;
    private final int[] longestFirst;

    /**
     * @param available members there are of each kind
     * @param memoryBytes what members may hold on each device
     * @param tokenBudget most tokens of an iteration
     * @param degree d, devices of the job
     */
    public ThroughputProblem(
            List<MemberKind> kinds,
            ImmutableIntArray available,
            long memoryBytes,
            long tokenBudget,
            GroupTime time,
            int degree) {
        if (kinds.size() != available.length()) {
            throw new IllegalArgumentException("There are (%d) kinds of members, but numbers of (%d)."
                    .formatted(kinds.size(), available.length()));
        }
        this.kinds = ImmutableList.copyOf(kinds);
        this.available = available;
        this.memoryBytes = memoryBytes;
        this.tokenBudget = tokenBudget;
        this.time = time;
        this.degree = degree;
        longestFirst = IntStream.range(0, kinds.size())
                .boxed()
                .sorted(Comparator.comparingLong(
                        (Integer kind) -> -kinds.get(kind).iterations()))
                .mapToInt(kind -> kind)
                .toArray();
    }

    public List<MemberKind> kinds() {
        return kinds;
    }

    public ImmutableIntArray available() {
        return available;
    }

    public long memoryBytes() {
        return memoryBytes;
    }

    public long tokenBudget() {
        return tokenBudget;
    }

    public int degree() {
        return degree;
    }

    /** The most members of a kind that a pack can have: as many as there are and limits hold. */
    public int most(int kind) {
        MemberKind member = kinds.get(kind);
        long held = Math.min(held(member.bytes(), memoryBytes), held(member.tokens(), tokenBudget));
        return (int) Math.min(available.get(kind), held);
    }

    private static long held(long each, long limit) {
        return each == 0 ? Long.MAX_VALUE : Math.max(0, limit) / each;
    }

    /** Seconds of one iteration. */
    double iterationSeconds(GroupWork work) {
        return time.seconds(work, degree);
    }

    /** T: seconds from the start of a job to the end of its last member; 0 for an empty one. */
    public double seconds(int[] counts) {
        double seconds = 0;
        long level = 0;
        GroupWork active = GroupWork.NONE;
        for (int index : longestFirst) {
            if (counts[index] > 0) {
                MemberKind kind = kinds.get(index);
                if (level > kind.iterations()) {
                    seconds += (level - kind.iterations()) * iterationSeconds(active);
                }
                level = kind.iterations();
                active = active.plus(kind.work().times(counts[index]));
            }
        }
        return level == 0 ? 0 : seconds + level * iterationSeconds(active);
    }

    /** Sum of the members' ranks. */
    public long rank(int[] counts) {
        long rank = 0;
        for (int kind = 0; kind < counts.length; kind++) {
            rank += (long) counts[kind] * kinds.get(kind).rank();
        }
        return rank;
    }

    /** Whether memory and token budget hold a pack. */
    public boolean admits(int[] counts) {
        long bytes = 0;
        long tokens = 0;
        for (int kind = 0; kind < counts.length; kind++) {
            bytes += counts[kind] * kinds.get(kind).bytes();
            tokens += counts[kind] * kinds.get(kind).tokens();
        }
        return bytes <= memoryBytes && tokens <= tokenBudget;
    }

    /** Rank a second; 0 for an empty job. */
    public double throughput(int[] counts) {
        long rank = rank(counts);
        return rank == 0 ? 0 : rank / seconds(counts);
    }

    /** Stretches of a job between the ends of kinds that a pack may have, from its start. */
    List<JobPhase> phases() {
        List<Long> levels = IntStream.range(0, kinds.size())
                .filter(kind -> most(kind) > 0)
                .mapToObj(kind -> kinds.get(kind).iterations())
                .distinct()
                .sorted()
                .toList();
        ImmutableList.Builder<JobPhase> phases = ImmutableList.builder();
        long before = 0;
        for (long level : levels) {
            int[] active = IntStream.range(0, kinds.size())
                    .filter(kind -> most(kind) > 0 && kinds.get(kind).iterations() >= level)
                    .toArray();
            phases.add(new JobPhase(level - before, ImmutableIntArray.copyOf(active)));
            before = level;
        }
        return phases.build();
    }

    /** Work of an iteration in a phase. */
    GroupWork work(JobPhase phase, int[] counts) {
        GroupWork work = GroupWork.NONE;
        for (int kind : phase.active().toArray()) {
            if (counts[kind] > 0) {
                work = work.plus(kinds.get(kind).work().times(counts[kind]));
            }
        }
        return work;
    }

    /**
     * @param iterations how many it has
     * @param active kinds that take part, if the pack has members of them
     */
    record JobPhase(long iterations, ImmutableIntArray active) {}
}
