package io.plora.execute;

import com.google.common.primitives.Ints;
import io.plora.Evaluation;
import io.plora.Metric;
import io.plora.data.ChoiceQuestion;
import io.plora.data.ChoiceSet;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What adapters are evaluated on: samples for loss and perplexity, a choice task for accuracy, F1 and Matthews correlation,
 * or both. Adapters are packed as in training.
 *
 * @param samples may be null
 * @param choices may be null
 */
public record Validation(
        @Nullable Dataset samples, @Nullable ChoiceSet choices) {

    /** The metrics that can be measured. */
    public Set<Metric> metrics() {
        Stream<Metric> ofSamples = samples == null ? Stream.of() : Stream.of(Metric.VALIDATION_LOSS, Metric.PERPLEXITY);
        Stream<Metric> ofChoices =
                choices == null ? Stream.of() : Stream.of(Metric.ACCURACY, Metric.F1, Metric.MATTHEWS);
        return Stream.concat(ofSamples, ofChoices).collect(Collectors.toSet());
    }

    /** Names of the data, for people. */
    String name() {
        List<String> names = new ArrayList<>();
        if (samples != null) {
            names.add(samples.name());
        }
        if (choices != null) {
            names.add(choices.name());
        }
        return String.join(", ", names);
    }

    /** Tokens of the longest sequence. */
    int longestSequence() {
        int longest = samples == null ? 0 : samples.longest();
        return choices == null
                ? longest
                : Math.max(
                        longest,
                        choices.questions().stream()
                                .mapToInt(ChoiceQuestion::longest)
                                .max()
                                .orElse(0));
    }

    /** How far an adapter is when it is evaluated. */
    record Moment(int epoch, long samplesSeen) {
        /** Not known. */
        static final Moment NONE = new Moment(0, 0);
    }

    /** One evaluation for each adapter, taken at its moment. */
    List<Evaluation> evaluate(
            PackedTrainer trainer, List<AdapterWeights> adapters, List<Moment> moments, int tokenBudget) {
        List<Evaluation> losses =
                samples == null ? List.of() : losses(trainer, adapters, moments, tokenBudget, samples);
        List<Evaluation> answers =
                choices == null ? List.of() : answers(trainer, adapters, moments, tokenBudget, choices);
        if (losses.isEmpty() || answers.isEmpty()) {
            return losses.isEmpty() ? answers : losses;
        }
        return IntStream.range(0, adapters.size())
                .mapToObj(i -> both(losses.get(i), answers.get(i)))
                .toList();
    }

    private static List<Evaluation> losses(
            PackedTrainer trainer,
            List<AdapterWeights> adapters,
            List<Moment> moments,
            int tokenBudget,
            Dataset dataset) {
        int[] tokens = dataset.samples().stream().mapToInt(Sample::answerTokens).toArray();
        double[][] sums = trainer.evaluate(adapters, dataset.samples(), tokenBudget);
        List<Evaluation> evaluations = new ArrayList<>();
        for (int adapter = 0; adapter < adapters.size(); adapter++) {
            double[] means = new double[tokens.length];
            for (int sample = 0; sample < tokens.length; sample++) {
                means[sample] = sums[adapter][sample] / tokens[sample];
            }
            Moment moment = moments.get(adapter);
            evaluations.add(Evaluation.ofLosses(moment.epoch(), moment.samplesSeen(), means, tokens));
        }
        return evaluations;
    }

    private static List<Evaluation> answers(
            PackedTrainer trainer,
            List<AdapterWeights> adapters,
            List<Moment> moments,
            int tokenBudget,
            ChoiceSet set) {
        List<Sample> samples = set.questions().stream()
                .flatMap(question -> question.candidates().stream().map(answer -> sample(question, answer)))
                .toList();
        int[] labels = set.questions().stream().mapToInt(ChoiceQuestion::label).toArray();
        double[][] losses = trainer.evaluate(adapters, samples, tokenBudget);
        List<Evaluation> evaluations = new ArrayList<>();
        for (int adapter = 0; adapter < adapters.size(); adapter++) {
            Moment moment = moments.get(adapter);
            evaluations.add(
                    DoubleStream.of(losses[adapter]).allMatch(Double::isFinite)
                            ? Evaluation.ofChoices(
                                    moment.epoch(),
                                    moment.samplesSeen(),
                                    predictions(set, losses[adapter]),
                                    labels,
                                    set.candidateNames().size())
                            : undecided(moment, set));
        }
        return evaluations;
    }

    /** Of an adapter whose likelihoods are no numbers: which candidate comes out says nothing. */
    private static Evaluation undecided(Moment moment, ChoiceSet set) {
        return new Evaluation(
                moment.epoch(),
                moment.samplesSeen(),
                set.size(),
                Map.of(Metric.ACCURACY, Double.NaN, Metric.F1, Double.NaN, Metric.MATTHEWS, Double.NaN),
                Map.of());
    }

    private static Sample sample(ChoiceQuestion question, int[] answer) {
        int[] prompt = question.prompt();
        int[] tokens = Ints.concat(prompt, answer);
        boolean[] trained = new boolean[tokens.length];
        Arrays.fill(trained, prompt.length, tokens.length, true);
        return new Sample(tokens, trained);
    }

    /** The candidate of the largest log-likelihood of each question, the first of equals. */
    private static int[] predictions(ChoiceSet set, double[] losses) {
        int[] predictions = new int[set.size()];
        int next = 0;
        for (int question = 0; question < predictions.length; question++) {
            int candidates = set.questions().get(question).candidates().size();
            for (int candidate = 1; candidate < candidates; candidate++) {
                if (losses[next + candidate] < losses[next + predictions[question]]) {
                    predictions[question] = candidate;
                }
            }
            next += candidates;
        }
        return predictions;
    }

    private static Evaluation both(Evaluation losses, Evaluation answers) {
        Map<Metric, Double> values = new EnumMap<>(losses.values());
        values.putAll(answers.values());
        Map<Metric, Double> errors = new EnumMap<>(Metric.class);
        errors.putAll(losses.standardErrors());
        errors.putAll(answers.standardErrors());
        return new Evaluation(losses.epoch(), losses.samplesSeen(), losses.items() + answers.items(), values, errors);
    }
}
