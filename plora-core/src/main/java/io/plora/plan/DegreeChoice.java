package io.plora.plan;

import io.plora.cost.Bytes;
import io.plora.cost.GroupWork;
import io.plora.space.LoraConfig;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedSet;

/** How many devices the group of a trial should have: as few as hold it, more where chains would last longer than the work. */
final class DegreeChoice {
    private final SweepState state;
    private final Rates rates;
    private final SortedSet<Integer> possible;
    private final long largestMemory;
    /** By the kind of a trial. */
    private final Map<Integer, Integer> least = new HashMap<>();

    private final Map<Integer, Integer> cheapest = new HashMap<>();

    DegreeChoice(SweepState state) {
        this.state = state;
        rates = state.rates();
        possible = Degrees.of(state);
        largestMemory = Degrees.largestMemory(state);
    }

    /**
     * The least degree at which a trial fits a group alone, with the longest sample.
     *
     * @throws IllegalArgumentException if there is none, naming the trial, what it needs and what there is
     */
    int least(TrialState trial) {
        return least.computeIfAbsent(trial.kind(), kind -> leastOf(trial.config()));
    }

    private int leastOf(LoraConfig config) {
        for (int degree : possible) {
            if (bytes(config, degree) <= largestMemory) {
                return degree;
            }
        }
        throw tooLarge(config);
    }

    /** What each device of a group of one trial must hold. */
    long bytes(LoraConfig config, int degree) {
        return state.memory().baseBytes(degree)
                + state.memory().adapterBytes(config, degree)
                + state.memory().tokenBytes(config, degree) * state.longestSample();
    }

    private IllegalArgumentException tooLarge(LoraConfig config) {
        int most = possible.last();
        long base = state.memory().baseBytes(most);
        if (base > largestMemory) {
            return new IllegalArgumentException(
                    "The base model needs (%s) on each of (%d) devices; the largest device has (%s). Maybe use more or larger devices of one node, or a quantised base model."
                            .formatted(Bytes.toText(base), most, Bytes.toText(largestMemory)));
        }
        return new IllegalArgumentException(
                "Configuration (%s) needs (%s) even alone, with the longest sample of (%d) tokens, on each of (%d) devices; the largest device has (%s). Maybe lower its rank, target fewer modules, shorten the samples or raise the memory."
                        .formatted(
                                config.id(),
                                Bytes.toText(bytes(config, most)),
                                state.longestSample(),
                                most,
                                Bytes.toText(largestMemory)));
    }

    /**
     * The degree of the group that a trial should join.
     *
     * @param chains what {@link #forChains} says
     */
    int preferred(TrialState trial, int chains) {
        return Math.max(chains, cheapest(trial));
    }

    /** The degree at which a group of such trials alone takes the fewest device-seconds a sample. */
    private int cheapest(TrialState trial) {
        int known = least(trial);
        return cheapest.computeIfAbsent(trial.kind(), kind -> {
            int best = known;
            double least = Double.POSITIVE_INFINITY;
            for (int degree : possible.tailSet(best)) {
                double seconds = degree * secondsOfASample(trial, degree);
                if (seconds < least) {
                    least = seconds;
                    best = degree;
                }
            }
            return best;
        });
    }

    /** Seconds of a sample in a group that has nothing but such trials, as many as fit, each with its whole batch. */
    private double secondsOfASample(TrialState trial, int degree) {
        int samples = 1;
        double most = rates.at(degree).saturation() / state.meanTokens();
        while (samples < most && fits(trial.config(), degree, samples + 1)) {
            samples++;
        }
        double adapters = Math.ceil((double) samples / trial.config().batchSize());
        double parameters = adapters * trial.parameters();
        double tokens = samples * state.meanTokens();
        GroupWork work = new GroupWork(
                tokens,
                samples,
                samples * state.meanPairs(),
                adapters,
                parameters,
                2 * tokens * trial.parameters(),
                (double) samples / trial.config().batchSize() * trial.parameters());
        return state.time().seconds(work, degree) / samples;
    }

    private boolean fits(LoraConfig config, int degree, int samples) {
        double adapters = Math.ceil((double) samples / config.batchSize());
        double tokens = samples * state.meanTokens();
        return tokens <= state.tokenBudget()
                && state.memory().baseBytes(degree)
                                + adapters * state.memory().adapterBytes(config, degree)
                                + tokens * state.memory().tokenBytes(config, degree)
                        <= largestMemory;
    }

    /** The degree at which the longer of all work and the longest chain is least, from the longest chain's least degree on. */
    int forChains() {
        if (state.isDone()) {
            return 1;
        }
        TrialState longest = state.unfinished().first();
        double best = Double.POSITIVE_INFINITY;
        int fastest = 1;
        for (int degree : possible.tailSet(least(longest))) {
            double work = degree * rates.at(degree).sample() * state.samplesLeft() / state.speeds();
            double seconds = Math.max(work, chainSeconds(longest, degree));
            if (seconds < best * 0.999) {
                best = seconds;
                fastest = fastest(degree, longest);
            }
        }
        return fastest;
    }

    /** The least degree is no wish of the chain's. */
    private int fastest(int degree, TrialState longest) {
        return degree == least(longest) ? 1 : degree;
    }

    /** Seconds of all steps of a trial alone. */
    double chainSeconds(TrialState trial, int degree) {
        int batch = trial.config().batchSize();
        GroupWork step =
                GroupWork.of(trial.parameters(), batch * state.meanTokens(), batch, batch * state.meanPairs(), 1);
        return trial.stepsLeft() * state.time().seconds(step, degree);
    }
}
