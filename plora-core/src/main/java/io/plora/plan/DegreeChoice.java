package io.plora.plan;

import io.plora.cost.Bytes;
import io.plora.cost.GroupWork;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** How many devices the group of a trial should have: as few as hold it, more where chains would last longer than the work. */
final class DegreeChoice {
    private final SweepState state;
    private final Rates rates;
    private final Map<AdapterShape, Integer> least = new HashMap<>();
    private final Map<PackKind, Integer> cheapest = new HashMap<>();
    private int preferred;

    /** What the memory of an adapter depends on. */
    private record AdapterShape(int rank, Set<TargetModule> modules) {}

    private record PackKind(int rank, Set<TargetModule> modules, int batch) {}

    DegreeChoice(SweepState state, Rates rates) {
        this.state = state;
        this.rates = rates;
    }

    /**
     * The least degree at which a trial fits a group alone, with the longest sample.
     *
     * @throws IllegalArgumentException if there is none, naming the trial, what it needs and what there is
     */
    int least(TrialState trial) {
        LoraConfig config = trial.config();
        return least.computeIfAbsent(
                new AdapterShape(config.rank(), Set.copyOf(config.targetModules())), shape -> leastOf(config));
    }

    private int leastOf(LoraConfig config) {
        long largest = Degrees.largestMemory(state);
        for (int degree : Degrees.of(state)) {
            if (bytes(config, degree) <= largest) {
                return degree;
            }
        }
        throw tooLarge(config, largest);
    }

    /** What each device of a group of one trial must hold. */
    long bytes(LoraConfig config, int degree) {
        return state.memory().baseBytes(degree)
                + state.memory().adapterBytes(config, degree)
                + state.memory().tokenBytes(config, degree) * state.longestSample();
    }

    private IllegalArgumentException tooLarge(LoraConfig config, long largest) {
        int most = Degrees.of(state).last();
        long base = state.memory().baseBytes(most);
        if (base > largest) {
            return new IllegalArgumentException(
                    "The base model needs (%s) on each of (%d) devices; the largest device has (%s). Maybe use more or larger devices of one node, or a quantised base model."
                            .formatted(Bytes.toText(base), most, Bytes.toText(largest)));
        }
        return new IllegalArgumentException(
                "Configuration (%s) needs (%s) even alone, with the longest sample of (%d) tokens, on each of (%d) devices; the largest device has (%s). Maybe lower its rank, target fewer modules, shorten the samples or raise the memory."
                        .formatted(
                                config.id(),
                                Bytes.toText(bytes(config, most)),
                                state.longestSample(),
                                most,
                                Bytes.toText(largest)));
    }

    /** The degree of the group that a trial should join. */
    int preferred(TrialState trial) {
        if (preferred == 0) {
            preferred = fastest();
        }
        return Math.max(preferred, cheapest(trial));
    }

    /** The degree at which a group of such trials alone takes the fewest device-seconds a sample. */
    private int cheapest(TrialState trial) {
        LoraConfig config = trial.config();
        PackKind kind = new PackKind(config.rank(), Set.copyOf(config.targetModules()), config.batchSize());
        return cheapest.computeIfAbsent(kind, key -> {
            int best = least(trial);
            double least = Double.POSITIVE_INFINITY;
            for (int degree : Degrees.of(state).tailSet(best)) {
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
        double tokens = PackDraft.plannedTokens(state, samples);
        return tokens <= state.tokenBudget()
                && state.memory().baseBytes(degree)
                                + adapters * state.memory().adapterBytes(config, degree)
                                + tokens * state.memory().tokenBytes(config, degree)
                        <= Degrees.largestMemory(state);
    }

    /** The degree at which the longer of all work and the longest chain is least. */
    private int fastest() {
        double speeds = state.devices().stream().mapToDouble(DeviceState::speed).sum();
        double best = Double.POSITIVE_INFINITY;
        int fastest = 1;
        for (int degree : Degrees.of(state)) {
            double work = 0;
            double chain = 0;
            for (TrialState trial : state.trials()) {
                if (trial.phase() != Phase.ENDED) {
                    int at = Math.max(degree, least(trial));
                    work += at * rates.at(at).seconds(trial) / speeds;
                    chain = Math.max(chain, chainSeconds(trial, at));
                }
            }
            double seconds = Math.max(work, chain);
            if (seconds < best * 0.999) {
                best = seconds;
                fastest = degree;
            }
        }
        return fastest;
    }

    /** Seconds of all steps of a trial alone. */
    double chainSeconds(TrialState trial, int degree) {
        int batch = trial.config().batchSize();
        GroupWork step =
                GroupWork.of(trial.parameters(), batch * state.meanTokens(), batch, batch * state.meanPairs(), 1);
        return trial.stepsLeft() * state.time().seconds(step, degree);
    }
}
