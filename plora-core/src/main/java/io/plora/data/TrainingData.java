package io.plora.data;

import java.util.List;

/**
 * Where a sweep's training or validation samples come from.
 *
 * <ul>
 *   <li>{@link TextData}: JSON lines, TSV, CSV or rows in memory, through prompt templates or the model's chat template
 *   <li>{@link ChoiceData}: questions with candidate answers, to train on and to evaluate
 *   <li>{@link Dl4jData}: a MultiDataSetIterator with token ids
 *   <li>{@link #ofSamples}: token ids that are already at hand
 * </ul>
 */
@FunctionalInterface
public interface TrainingData {

    /**
     * Reads and encodes all samples.
     *
     * @throws IllegalArgumentException naming file and line, or the value, where the data cannot be used as they are
     * @throws java.io.UncheckedIOException if a file cannot be read
     */
    Dataset load(EncodingContext context);

    /** Samples that are already encoded; token ids are checked against the model's vocabulary. */
    static TrainingData ofSamples(List<Sample> samples) {
        List<Sample> copy = List.copyOf(samples);
        return context -> {
            SampleCollector collector = new SampleCollector("samples", context);
            for (int i = 0; i < copy.size(); i++) {
                collector.add("sample (%d)".formatted(i + 1), copy.get(i));
            }
            return collector.finish();
        };
    }
}
