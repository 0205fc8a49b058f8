package io.plora.data;

import java.util.List;

/**
 * Encoded samples and what became of those that were too long.
 *
 * @param name of the source, for messages
 * @param samples in the source's order
 * @param truncated how many were cut to the longest length allowed
 * @param skipped how many were left out because they were too long
 */
public record Dataset(String name, List<Sample> samples, int truncated, int skipped) {

    public Dataset {
        samples = List.copyOf(samples);
    }

    public int size() {
        return samples.size();
    }

    /** Length in tokens of the longest sample. */
    public int longest() {
        return samples.stream().mapToInt(Sample::length).max().orElse(0);
    }
}
