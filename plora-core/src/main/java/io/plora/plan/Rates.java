package io.plora.plan;

import io.plora.cost.GroupMemory;
import io.plora.cost.GroupTime;
import io.plora.cost.GroupWork;
import java.util.HashMap;
import java.util.Map;

/** What trials cost a group of some degree in seconds, at iterations as large as memory allows and the chains leave room for. */
final class Rates {
    /** Share of the best rate at which more tokens in an iteration are not worth a longer chain. */
    private static final double SATURATION = 0.998;

    private static final int MOST_DOUBLINGS = 40;

    private final SweepState state;
    private final Map<Integer, AtDegree> degrees = new HashMap<>();

    Rates(SweepState state) {
        this.state = state;
    }

    AtDegree at(int degree) {
        return degrees.computeIfAbsent(degree, this::compute);
    }

    /**
     * Costs at a degree.
     *
     * @param saturation tokens of an iteration that are worth taking
     * @param tangent at the typical iteration, which it goes through: of the time's bound, as the time may jump there
     * @param samples of the typical iteration
     * @param sample seconds of a sample in the typical iteration
     * @param tokens of a sample
     * @param pairs of a sample
     */
    record AtDegree(double saturation, Tangent tangent, double samples, double sample, double tokens, double pairs) {

        /** Seconds that a trial keeps its group busy, its part of what every iteration costs included. */
        double seconds(TrialState trial) {
            return marginal(trial) + trial.samplesLeft() * tangent.intercept() / samples;
        }

        /** Seconds that a trial adds to iterations that take place anyway. */
        double marginal(TrialState trial) {
            double left = trial.samplesLeft();
            double steps = trial.stepsLeft();
            GroupWork slope = tangent.slope();
            double ofSample = slope.tokens() * tokens
                    + slope.sequences()
                    + slope.attentionPairs() * pairs
                    + slope.lowRankOperations() * 2 * tokens * trial.parameters();
            double ofStep =
                    slope.adapters() + (slope.lowRankParameters() + slope.steppedParameters()) * trial.parameters();
            return left * ofSample + steps * ofStep;
        }
    }

    private AtDegree compute(int degree) {
        double saturation = saturation(degree);
        double samples = Math.max(1, Math.min(saturation, tokensInMemory(degree)) / state.meanTokens());
        double parameters = state.meanParameters();
        double operations = 2 * samples * state.meanTokens() * parameters;
        GroupWork typical = work(samples).plus(new GroupWork(0, 0, 0, 1, parameters, operations, parameters));
        double seconds = state.time().seconds(typical, degree);
        GroupTime bound = state.time().bound();
        return new AtDegree(
                saturation,
                Tangent.at(typical, bound, degree).plus(seconds - bound.seconds(typical, degree)),
                samples,
                seconds / samples,
                state.meanTokens(),
                state.meanPairs());
    }

    private double saturation(int degree) {
        double most = 1L << MOST_DOUBLINGS;
        double best = rate(most, degree);
        double tokens = state.longestSample();
        while (tokens < most && rate(tokens, degree) < SATURATION * best) {
            tokens *= 1.25;
        }
        return tokens;
    }

    private double rate(double tokens, int degree) {
        return tokens / state.time().seconds(work(tokens / state.meanTokens()), degree);
    }

    /** Half of the memory beside the base model for adapters is a guess that only estimates depend on. */
    private double tokensInMemory(int degree) {
        GroupMemory memory = state.memory();
        double free = Degrees.largestMemory(state) - memory.baseBytes(degree);
        double bytes = Math.max(1, memory.tokenBytes(state.trial(0).config(), degree));
        return Math.min(state.tokenBudget(), free / 2 / bytes);
    }

    private GroupWork work(double samples) {
        return new GroupWork(samples * state.meanTokens(), samples, samples * state.meanPairs(), 0, 0, 0, 0);
    }
}
