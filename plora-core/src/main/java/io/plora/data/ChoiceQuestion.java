package io.plora.data;

import com.google.common.primitives.Ints;
import java.util.Arrays;
import java.util.List;

/**
 * A prompt and the answers to choose from, as token ids.
 *
 * @param prompt at least one token
 * @param candidates two or more, each of at least one token and different from the others
 * @param label index of the right candidate
 */
public record ChoiceQuestion(int[] prompt, List<int[]> candidates, int label) {

    public ChoiceQuestion {
        candidates = List.copyOf(candidates);
        if (label < 0 || label >= candidates.size()) {
            throw new IllegalArgumentException(
                    "label (%d) must be the index of one of the (%d) candidates.".formatted(label, candidates.size()));
        }
    }

    /** Tokens of the prompt with its longest candidate. */
    public int longest() {
        return prompt.length
                + candidates.stream()
                        .mapToInt(candidate -> candidate.length)
                        .max()
                        .orElse(0);
    }

    /** The same question after {@code count} tokens of the prompt were cut out, from index {@code from} on. */
    ChoiceQuestion withoutPromptTokens(int from, int count) {
        int[] shorter =
                Ints.concat(Arrays.copyOf(prompt, from), Arrays.copyOfRange(prompt, from + count, prompt.length));
        return new ChoiceQuestion(shorter, candidates, label);
    }
}
