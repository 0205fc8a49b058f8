package io.plora.plan;

import io.plora.cost.GroupWork;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Computes a {@link LowerBound}; see there for the argument. */
final class BoundCalculator {
    private final SweepState state;
    private final List<TrialWork> trials = new ArrayList<>();
    private final List<AtDegree> degrees = new ArrayList<>();
    private final double fastest;
    private final double speeds;

    /**
     * What groups of a number of devices can do.
     *
     * @param free bytes on each of its devices beside the base model
     */
    private record AtDegree(SweepState state, int degree, double free) {

        /** Tokens of a trial that fit an iteration. */
        double tokensBeside(TrialState trial) {
            double bytes = free - state.memory().adapterBytes(trial.config(), degree);
            double tokenBytes = state.memory().tokenBytes(trial.config(), degree);
            double inMemory = tokenBytes == 0 && bytes >= 0 ? Double.MAX_VALUE : Math.floor(bytes / tokenBytes);
            return Math.min(inMemory, Math.max(state.tokenBudget(), state.longestSample()));
        }

        /** Whether the trial may join, see {@link DecisionValidator}. */
        boolean holds(TrialState trial) {
            return tokensBeside(trial) >= trial.epochLengths().longest();
        }

        /** Share of an iteration's room that each participation takes: of memory, or of the token budget. */
        double roomOfAdapter(TrialState trial, boolean memory) {
            return memory ? state.memory().adapterBytes(trial.config(), degree) / free : 0;
        }

        double roomOfToken(TrialState trial, boolean memory) {
            return memory
                    ? state.memory().tokenBytes(trial.config(), degree) / free
                    : 1.0 / Math.max(state.tokenBudget(), state.longestSample());
        }

        /** Seconds of a step alone, in as many parts as its tokens need. */
        double seconds(TrialState trial, GroupWork step) {
            double parts = Math.max(1, step.tokens() / tokensBeside(trial));
            return parts * state.time().bound().seconds(step.times(1 / parts), degree);
        }
    }

    /**
     * Device-seconds at a degree.
     *
     * @param memory whether memory or the token budget limits iterations
     * @param room for a whole iteration's room
     * @param work for a unit of each kind of work
     */
    private record Prices(AtDegree at, boolean memory, double room, GroupWork work) {

        /** For a token of a trial: all work that grows with it, and its room. */
        double token(TrialState trial) {
            return work.tokens()
                    + 2 * trial.parameters() * work.lowRankOperations()
                    + room * at.roomOfToken(trial, memory);
        }

        /** For taking part in an iteration: the adapter's traffic and its room. */
        double participation(TrialState trial) {
            return work.adapters()
                    + trial.parameters() * work.lowRankParameters()
                    + room * at.roomOfAdapter(trial, memory);
        }

        /** For a batch, but for what {@link BoundCalculator#extras} counts; often participations are more than one. */
        double batch(TrialState trial, double tokens, boolean often) {
            double participations = often ? tokens / at.tokensBeside(trial) : 1;
            return tokens * token(trial) + participations * participation(trial);
        }
    }

    BoundCalculator(SweepState state) {
        this.state = state;
        for (TrialState trial : state.trials()) {
            if (trial.phase() != Phase.ENDED) {
                trials.add(TrialWork.left(trial));
            }
        }
        for (int degree : Degrees.of(state)) {
            long free = Degrees.largestMemory(state, degree) - state.memory().baseBytes(degree);
            if (free > 0) {
                degrees.add(new AtDegree(state, degree, free));
            }
        }
        fastest = state.devices().stream().mapToDouble(DeviceState::speed).max().orElseThrow();
        speeds = state.devices().stream().mapToDouble(DeviceState::speed).sum();
    }

    LowerBound bound() {
        return new LowerBound(work(), chain(), memory());
    }

    /** A trial takes part at least once a step, and once for each portion of tokens that fits beside it. */
    private static double participations(TrialWork trial, AtDegree at) {
        return Math.max(trial.steps(), trial.tokens() / at.tokensBeside(trial.trial()));
    }

    private double work() {
        List<Prices> prices = new ArrayList<>();
        for (AtDegree at : degrees) {
            List<TrialWork> held =
                    trials.stream().filter(trial -> at.holds(trial.trial())).toList();
            if (!held.isEmpty()) {
                prices.add(prices(at, held));
            }
        }
        SortedMap<Integer, Double> byLeastDegree = new TreeMap<>(Comparator.reverseOrder());
        for (TrialWork trial : trials) {
            byLeastDegree.merge(leastDegree(trial.trial()), price(trial, prices), Double::sum);
        }
        double seconds = 0;
        double price = 0;
        for (Map.Entry<Integer, Double> entry : byLeastDegree.entrySet()) {
            price += entry.getValue();
            seconds = Math.max(seconds, price / speedsOfGroupsOf(entry.getKey()));
        }
        return seconds;
    }

    private int leastDegree(TrialState trial) {
        return degrees.stream()
                .filter(at -> at.holds(trial))
                .mapToInt(AtDegree::degree)
                .findFirst()
                .orElse(1);
    }

    /** Speed of the devices that groups of at least so many can have at a time: of each node the fastest. */
    private double speedsOfGroupsOf(int degree) {
        Map<Integer, List<Double>> nodes = state.devices().stream()
                .collect(Collectors.groupingBy(
                        DeviceState::node, Collectors.mapping(DeviceState::speed, Collectors.toList())));
        return nodes.values().stream()
                .mapToDouble(node -> node.stream()
                        .sorted(Comparator.reverseOrder())
                        .limit((long) node.size() / degree * degree)
                        .mapToDouble(speed -> speed)
                        .sum())
                .sum();
    }

    private Prices prices(AtDegree at, List<TrialWork> held) {
        double inMemory =
                held.stream().mapToDouble(trial -> room(trial, at, true)).sum();
        double inBudget =
                held.stream().mapToDouble(trial -> room(trial, at, false)).sum();
        double iterations = Math.max(inMemory, inBudget);
        GroupWork all =
                held.stream().map(trial -> trial.in(participations(trial, at))).reduce(GroupWork.NONE, GroupWork::plus);
        Tangent tangent = Tangent.at(all.times(1 / iterations), state.time().bound(), at.degree());
        return new Prices(
                at,
                inMemory >= inBudget,
                at.degree() * tangent.intercept(),
                tangent.slope().times(at.degree()));
    }

    private double room(TrialWork trial, AtDegree at, boolean memory) {
        return participations(trial, at) * at.roomOfAdapter(trial.trial(), memory)
                + trial.tokens() * at.roomOfToken(trial.trial(), memory);
    }

    /**
     * Least device-seconds of a trial. A batch that is done at one degree costs an affine function of its tokens. One that is
     * split over degrees costs no less than the cheapest of them, as its participations are at least the parts of one. The least
     * over the degrees is concave, so over all batches it is at least the chord between the shortest and the longest possible
     * batch, at their mean. Batches cut short by the end of an epoch count by their tokens alone, as
     * many or as few as is cheaper.
     */
    private double price(TrialWork trial, List<Prices> prices) {
        List<Prices> possible =
                prices.stream().filter(price -> price.at().holds(trial.trial())).toList();
        if (possible.isEmpty()) {
            return 0; // it can run nowhere; that is for the policy to say
        }
        EpochLengths lengths = trial.trial().epochLengths();
        int batch = trial.trial().config().batchSize();
        double whole = trial.wholeSteps();
        double restSamples = trial.samples() - whole * batch;
        double shortest = (double) batch * lengths.shortest();
        double longest = (double) batch * lengths.longest();
        double mean = whole == 0 ? shortest : (trial.tokens() - restSamples * lengths.longest()) / whole;
        double low = batch(trial.trial(), shortest, mean, possible);
        double slope =
                longest == shortest ? 0 : (batch(trial.trial(), longest, mean, possible) - low) / (longest - shortest);
        double token = least(possible, price -> price.token(trial.trial()));
        double least = Double.POSITIVE_INFINITY;
        for (int length : new int[] {lengths.shortest(), lengths.longest()}) {
            double rest = restSamples * length;
            double beyondShortest = Math.max(0, trial.tokens() - rest - whole * shortest);
            least = Math.min(least, whole * low + slope * beyondShortest + token * rest);
        }
        return least + extras(trial, possible);
    }

    /** The least price of a batch, charged as often as the mean batch has to take part. */
    private static double batch(TrialState trial, double tokens, double mean, List<Prices> possible) {
        return least(
                possible, price -> price.batch(trial, tokens, mean > price.at().tokensBeside(trial)));
    }

    /** What depends on neither the degree nor the splitting of batches, or hardly. */
    private static double extras(TrialWork trial, List<Prices> possible) {
        return trial.samples() * least(possible, price -> price.work().sequences())
                + trial.pairs() * least(possible, price -> price.work().attentionPairs())
                + trial.steps()
                        * trial.trial().parameters()
                        * least(possible, price -> price.work().steppedParameters());
    }

    private static double least(List<Prices> prices, ToDoubleFunction<Prices> of) {
        return prices.stream().mapToDouble(of).min().orElseThrow();
    }

    private double chain() {
        return trials.stream().mapToDouble(this::chain).max().orElse(0) / fastest;
    }

    /**
     * At one degree, steps of different batches take no less than as many of the mean batch, by convexity. Where different
     * degrees are best for the shortest, the mean and the longest batch, all steps count as the shortest.
     */
    private double chain(TrialWork trial) {
        EpochLengths lengths = trial.trial().epochLengths();
        GroupWork mean = step(
                trial.trial(),
                trial.tokens() / trial.steps(),
                trial.samples() / trial.steps(),
                trial.pairs() / trial.steps());
        AtDegree best = fastestFor(trial.trial(), mean);
        if (best == null) {
            return 0;
        }
        boolean always = best == fastestFor(trial.trial(), whole(trial, lengths.shortest()))
                && best == fastestFor(trial.trial(), whole(trial, lengths.longest()));
        return always
                ? trial.steps() * best.seconds(trial.trial(), mean)
                : trial.wholeSteps() * seconds(trial.trial(), whole(trial, lengths.shortest()));
    }

    private @Nullable AtDegree fastestFor(TrialState trial, GroupWork step) {
        return degrees.stream()
                .filter(at -> at.holds(trial))
                .min(Comparator.comparingDouble(at -> at.seconds(trial, step)))
                .orElse(null);
    }

    private double memory() {
        return trials.stream()
                        .mapToDouble(trial -> {
                            GroupWork step =
                                    whole(trial, trial.trial().epochLengths().shortest());
                            return trial.wholeSteps()
                                    * degrees.stream()
                                            .filter(at -> at.holds(trial.trial()))
                                            .mapToDouble(at -> at.degree()
                                                    * at.roomOfAdapter(trial.trial(), true)
                                                    * at.seconds(trial.trial(), step))
                                            .min()
                                            .orElse(0);
                        })
                        .sum()
                / speeds;
    }

    /** A step of a whole batch of samples of one length. */
    private static GroupWork whole(TrialWork trial, int length) {
        double samples = trial.trial().config().batchSize();
        return step(trial.trial(), samples * length, samples, samples * length * (length + 1.0) / 2);
    }

    private static GroupWork step(TrialState trial, double tokens, double samples, double pairs) {
        return GroupWork.of(trial.parameters(), tokens, samples, pairs, 1);
    }

    private double seconds(TrialState trial, GroupWork step) {
        return degrees.stream()
                .filter(at -> at.holds(trial))
                .mapToDouble(at -> at.seconds(trial, step))
                .min()
                .orElse(0);
    }
}
