package io.plora.data;

import java.util.Arrays;

/**
 * One training or validation sequence.
 *
 * @param tokens token ids
 * @param answer for each token whether the model is trained to predict it; the first token never is
 */
public record Sample(int[] tokens, boolean[] answer) {

    public Sample {
        if (tokens.length != answer.length) {
            throw new IllegalArgumentException(
                    "A sample of (%d) tokens has an answer mask of (%d).".formatted(tokens.length, answer.length));
        }
    }

    public int length() {
        return tokens.length;
    }

    /** Number of tokens that count in the loss. */
    public int answerTokens() {
        int count = 0;
        for (int i = 1; i < answer.length; i++) {
            count += answer[i] ? 1 : 0;
        }
        return count;
    }

    /**
     * Rows that the sample takes in a packed pass: its tokens up to the one before the last answer token. What comes after has
     * no influence on the loss.
     */
    public int rows() {
        for (int i = answer.length - 1; i > 0; i--) {
            if (answer[i]) {
                return i;
            }
        }
        return 0;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Sample sample
                && Arrays.equals(tokens, sample.tokens)
                && Arrays.equals(answer, sample.answer);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(tokens) + Arrays.hashCode(answer);
    }

    @Override
    public String toString() {
        return "Sample(%d tokens, %d of them answer)".formatted(length(), answerTokens());
    }
}
