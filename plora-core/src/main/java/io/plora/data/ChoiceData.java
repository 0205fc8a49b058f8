package io.plora.data;

import com.google.common.collect.ImmutableMap;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Questions with candidate answers: to evaluate by log-likelihood, and to train on the right answer.
 *
 * <pre>{@code
 * ChoiceData cola = TextData.tsv(Path.of("cola.tsv"), "source", "label", "mark", "sentence")
 *         .withPrompt("{sentence}\nIs this acceptable?")
 *         .asChoices("label")
 *         .withCandidate("0", " no")
 *         .withCandidate("1", " yes");
 * }</pre>
 *
 * <p>A prompt that is too long loses its beginning where truncation is chosen, as the answer depends most on its end. Token
 * ids of prompt and answers are the same in training and evaluation; in training the end-of-sequence token follows the answer.
 */
public final class ChoiceData implements TrainingData {
    private final TextData text;
    private final String labelField;
    private final ImmutableMap<String, Template> candidates;

    ChoiceData(TextData text, String labelField) {
        this(text, labelField, ImmutableMap.of());
        if (text.promptEncoder().answer() != null) {
            throw new IllegalStateException(
                    "%s: the answers of a choice are its candidates. Maybe leave withAnswer out."
                            .formatted(text.name()));
        }
    }

    private ChoiceData(TextData text, String labelField, ImmutableMap<String, Template> candidates) {
        this.text = text;
        this.labelField = labelField;
        this.candidates = candidates;
    }

    /**
     * Adds a candidate answer.
     *
     * @param label what the label field holds where this candidate is right
     * @param answer template of its text; may hold fields
     */
    public ChoiceData withCandidate(String label, String answer) {
        if (candidates.containsKey(label)) {
            throw new IllegalArgumentException("%s: two candidates have the label (%s).".formatted(text.name(), label));
        }
        return new ChoiceData(
                text,
                labelField,
                ImmutableMap.<String, Template>builder()
                        .putAll(candidates)
                        .put(label, new Template(answer))
                        .buildOrThrow());
    }

    /**
     * Reads and encodes all questions for evaluation.
     *
     * @throws IllegalArgumentException naming file and line, or the value, where the data cannot be used as they are
     */
    public ChoiceSet questions(EncodingContext context) {
        return encode(context, 0);
    }

    /** The questions with their right answers as samples. */
    @Override
    public Dataset load(EncodingContext context) {
        ChoiceSet set = encode(context, 1);
        int[] end = {context.tokenizer().endOfSequence()};
        List<Sample> samples = set.questions().stream()
                .map(question -> new TokenSequence()
                        .add(question.prompt(), false)
                        .add(question.candidates().get(question.label()), true)
                        .add(end, true)
                        .toSample())
                .toList();
        return new Dataset(set.name(), samples, set.truncated(), set.skipped());
    }

    /** @param endTokens tokens that follow the answer */
    private ChoiceSet encode(EncodingContext context, int endTokens) {
        if (candidates.size() < 2) {
            throw new IllegalStateException(
                    "%s: a choice needs at least two candidates, not (%d). Maybe add withCandidate."
                            .formatted(text.name(), candidates.size()));
        }
        EncodingContext own = text.restrict(context);
        LengthLimit limit = new LengthLimit(text.name(), own);
        int begin = own.tokenizer().beginOfSequence().isPresent() ? 1 : 0;
        List<ChoiceQuestion> questions = new ArrayList<>();
        try (Stream<Row> rows = text.open()) {
            rows.forEachOrdered(row -> {
                ChoiceQuestion question = question(row, own);
                int length = question.longest() + endTokens;
                int excess = Math.max(0, length - own.maxLength());
                boolean promptRemains = excess < question.prompt().length - begin;
                if (limit.takes(row.position(), length, promptRemains)) {
                    questions.add(question.withoutPromptTokens(begin, excess));
                }
            });
        }
        limit.finish();
        return new ChoiceSet(text.name(), questions, candidates.keySet().asList(), limit.truncated(), limit.skipped());
    }

    private ChoiceQuestion question(Row row, EncodingContext context) {
        int[] prompt = text.promptEncoder().encodePrompt(row, context);
        if (prompt.length == 0) {
            throw row.error("the prompt encodes to no token. Maybe withPrompt is missing or the field is empty");
        }
        List<int[]> answers = candidates.values().stream()
                .map(candidate -> PromptEncoder.encodeAnswer(candidate, row, context))
                .toList();
        ChoiceQuestion question = new ChoiceQuestion(prompt, answers, label(row));
        check(row, question, context);
        return question;
    }

    private int label(Row row) {
        String label = row.text(labelField);
        int index = candidates.keySet().asList().indexOf(label);
        if (index < 0) {
            throw row.error("label (%s) is none of the candidates %s".formatted(label, candidates.keySet()));
        }
        return index;
    }

    private void check(Row row, ChoiceQuestion question, EncodingContext context) {
        String where = text.name() + ", " + row.position();
        context.checkTokens(where, question.prompt());
        List<String> names = candidates.keySet().asList();
        for (int i = 0; i < names.size(); i++) {
            context.checkTokens(where, question.candidates().get(i));
            for (int j = 0; j < i; j++) {
                if (Arrays.equals(
                        question.candidates().get(i), question.candidates().get(j))) {
                    throw row.error("the candidates (%s) and (%s) encode to the same tokens"
                            .formatted(names.get(j), names.get(i)));
                }
            }
        }
    }
}
