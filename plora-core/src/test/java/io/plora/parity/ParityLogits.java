package io.plora.parity;

/**
 * Logits (T, V) of the first sample before training: two whole rows, and of each row one column in {@code stride}.
 *
 * @param first (V) of the first position
 * @param last (V) of the last position
 * @param sampled (T, V / stride): column j of row t is column t % stride + j * stride of the logits
 */
public record ParityLogits(float[] first, float[] last, float[] sampled, int stride) {

    /**
     * Largest absolute difference.
     *
     * @param logits (T, V)
     */
    public double error(float[] logits) {
        int vocabulary = first.length;
        int columns = vocabulary / stride;
        int rows = sampled.length / columns;
        if (logits.length != rows * vocabulary) {
            throw new IllegalArgumentException(
                    "Logits have (%d) values, expected (%d, %d).".formatted(logits.length, rows, vocabulary));
        }
        int lastRow = (rows - 1) * vocabulary;
        double error = 0;
        for (int column = 0; column < vocabulary; column++) {
            error = Math.max(error, Math.abs(logits[column] - first[column]));
            error = Math.max(error, Math.abs(logits[lastRow + column] - last[column]));
        }
        for (int i = 0; i < sampled.length; i++) {
            int row = i / columns;
            int column = row % stride + i % columns * stride;
            error = Math.max(error, Math.abs(logits[row * vocabulary + column] - sampled[i]));
        }
        return error;
    }
}
