package io.plora.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Checks samples one by one and gathers them into a {@link Dataset}. */
final class SampleCollector {
    private final String source;
    private final EncodingContext context;
    private final LengthLimit limit;
    private final List<Sample> samples = new ArrayList<>();

    SampleCollector(String source, EncodingContext context) {
        this.source = source;
        this.context = context;
        limit = new LengthLimit(source, context);
    }

    /** Adds one sample, unless it is too long and cannot be cut. */
    void add(String position, Sample sample) {
        String where = source + ", " + position;
        context.checkTokens(where, sample.tokens());
        if (sample.answerTokens() == 0) {
            throw new IllegalArgumentException(
                    "%s: none of the (%d) tokens is to be predicted (the first never is). Maybe its answer is empty or masked."
                            .formatted(where, sample.length()));
        }
        Sample cut = cut(sample);
        if (limit.takes(position, sample.length(), cut.answerTokens() > 0)) {
            samples.add(cut);
        }
    }

    private Sample cut(Sample sample) {
        int length = Math.min(sample.length(), context.maxLength());
        return length == sample.length()
                ? sample
                : new Sample(Arrays.copyOf(sample.tokens(), length), Arrays.copyOf(sample.answer(), length));
    }

    Dataset finish() {
        limit.finish();
        return new Dataset(source, samples, limit.truncated(), limit.skipped());
    }
}
