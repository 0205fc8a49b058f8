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
        // the first token has nothing before it that could predict it
        Arrays.fill(answer, Math.max(start, Math.min(1, tokens.length)), tokens.length, trained);
        return this;
    }

    int[] tokens() {
        return tokens;
    }

    Sample toSample() {
        return new Sample(tokens, answer);
    }
}
