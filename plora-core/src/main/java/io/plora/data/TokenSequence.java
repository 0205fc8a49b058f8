package io.plora.data;

import java.util.Arrays;

/** Builds a sample from pieces of text, each of which is encoded by itself. */
final class TokenSequence {
    private int[] tokens = {};
    private boolean[] answer = {};

    TokenSequence add(int[] piece, boolean trained) {
        int start = tokens.length;
        tokens = Arrays.copyOf(tokens, start + piece.length);
        answer = Arrays.copyOf(answer, tokens.length);
        System.arraycopy(piece, 0, tokens, start, piece.length);
        Arrays.fill(answer, start, tokens.length, trained);
        return this;
    }

    Sample toSample() {
        // nothing comes before the first token that could predict it
        Arrays.fill(answer, 0, Math.min(1, answer.length), false);
        return new Sample(tokens, answer);
    }
}
