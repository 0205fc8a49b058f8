package io.plora.plan.jobs;

import java.util.stream.IntStream;

/** Good packs without proof: members are added one by one, then added, dropped and exchanged while throughput rises. */
final class PackSearch {
    private static final double LEAST_GAIN = 1 + 1e-9;

    private final ThroughputProblem problem;
    private final int[] most;

    PackSearch(ThroughputProblem problem) {
        this.problem = problem;
        most = IntStream.range(0, problem.kinds().size()).map(problem::most).toArray();
    }

    /** A pack that no single move improves; all zeros if memory holds no member. */
    int[] search() {
        int[] best = new int[most.length];
        double throughput = 0;
        long longest = 0;
        for (ThroughputProblem.JobPhase phase : problem.phases()) {
            longest += phase.iterations();
            int[] counts = grow(longest);
            if (problem.throughput(counts) > throughput) {
                best = counts;
                throughput = problem.throughput(counts);
            }
        }
        return improve(best);
    }

    /** Adds, as long as it helps, the member that helps most, of kinds that end by a certain iteration. */
    private int[] grow(long longest) {
        int[] counts = new int[most.length];
        double throughput = 0;
        while (true) {
            int best = -1;
            for (int kind = 0; kind < counts.length; kind++) {
                if (problem.kinds().get(kind).iterations() <= longest && move(counts, -1, kind)) {
                    double moved = problem.throughput(counts);
                    if (moved > throughput) {
                        throughput = moved;
                        best = kind;
                    }
                    counts[kind]--;
                }
            }
            if (best < 0) {
                return counts;
            }
            counts[best]++;
        }
    }

    /** Makes single moves while one raises throughput. */
    int[] improve(int[] start) {
        int[] counts = start.clone();
        double throughput = problem.throughput(counts);
        boolean improved = true;
        while (improved) {
            improved = false;
            for (int out = -1; out < counts.length; out++) {
                for (int in = -1; in < counts.length; in++) {
                    if (in != out && move(counts, out, in)) {
                        double moved = problem.throughput(counts);
                        if (moved > throughput * LEAST_GAIN) {
                            throughput = moved;
                            improved = true;
                        } else {
                            undo(counts, out, in);
                        }
                    }
                }
            }
        }
        return counts;
    }

    /** Takes a member of one kind out and puts one of another in, -1 for none; false, and nothing done, if that cannot be. */
    private boolean move(int[] counts, int out, int in) {
        if (out >= 0 && counts[out] == 0 || in >= 0 && counts[in] == most[in]) {
            return false;
        }
        if (out >= 0) {
            counts[out]--;
        }
        if (in >= 0) {
            counts[in]++;
        }
        if (!problem.admits(counts)) {
            undo(counts, out, in);
            return false;
        }
        return true;
    }

    private static void undo(int[] counts, int out, int in) {
        if (out >= 0) {
            counts[out]++;
        }
        if (in >= 0) {
            counts[in]--;
        }
    }
}
