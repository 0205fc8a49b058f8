package io.plora.kernels;

/**
 * Heads of grouped-query attention. A row of q, k and v is {@code [heads | kvHeads | kvHeads] x headSize} values.
 *
 * @param heads query heads, a multiple of kvHeads
 * @param kvHeads key and value heads
 * @param headSize values a head, even
 */
public record AttentionShape(int heads, int kvHeads, int headSize) {

    public AttentionShape {
        if (kvHeads < 1 || heads < 1 || heads % kvHeads != 0) {
            throw new IllegalArgumentException(
                    "Query heads (%d) must be a multiple of key and value heads (%d).".formatted(heads, kvHeads));
        }
        if (headSize < 2 || headSize % 2 != 0) {
            throw new IllegalArgumentException("The head size (%d) must be even.".formatted(headSize));
        }
    }

    /** Values in a row of stacked q, k and v. */
    public int qkvSize() {
        return (heads + 2 * kvHeads) * headSize;
    }

    /** Values in a row of the attention's output. */
    public int outputSize() {
        return heads * headSize;
    }
}
