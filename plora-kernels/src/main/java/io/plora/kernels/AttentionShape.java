package io.plora.kernels;

/**
 * Heads of grouped-query attention. A row of q, k and v is {@code [heads | kvHeads | kvHeads] x headSize} values.
 *
 * @param heads query heads, a multiple of kvHeads
 * @param kvHeads key and value heads
 * @param headSize values a head, even
 */
public record AttentionShape(int heads, int kvHeads, int headSize) {

    /** Values in a row of stacked q, k and v. */
    public int qkvSize() {
        return (heads + 2 * kvHeads) * headSize;
    }

    /** Values in a row of the attention's output. */
    public int outputSize() {
        return heads * headSize;
    }
}
