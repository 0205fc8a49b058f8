package io.plora.adapter;

/**
 * A and B of one module, row-major; the arrays are not copied.
 *
 * @param rank r
 * @param inputs values in a row of the module's input
 * @param outputs values in a row of the module's output
 * @param a [r, inputs]
 * @param b [outputs, r]
 */
public record LoraMatrices(int rank, int inputs, int outputs, float[] a, float[] b) {

    public LoraMatrices {
        requireLength("A", a, (long) rank * inputs);
        requireLength("B", b, (long) outputs * rank);
    }

    private static void requireLength(String name, float[] values, long expected) {
        if (values.length != expected) {
            throw new IllegalArgumentException(
                    "%s has (%d) values, its shape needs (%d).".formatted(name, values.length, expected));
        }
    }
}
