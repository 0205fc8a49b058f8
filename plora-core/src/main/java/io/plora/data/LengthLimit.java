package io.plora.data;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Applies the choice made for samples that are too long, and counts them. */
final class LengthLimit {
    private static final Logger LOGGER = LoggerFactory.getLogger(LengthLimit.class);

    private final String source;
    private final int maxLength;
    private final TooLong choice;

    private @Nullable String firstTooLong;
    private int longest;
    private int taken;
    private int truncated;
    private int skipped;

    LengthLimit(String source, EncodingContext context) {
        this.source = source;
        maxLength = context.maxLength();
        choice = context.tooLong();
    }

    /**
     * Decides over one sample.
     *
     * @param position of the sample in its source
     * @param length in tokens
     * @param usableWhenCut whether something to learn from remains within the longest length
     * @return whether the sample is taken; if it is too long, it must be cut
     */
    boolean takes(String position, int length, boolean usableWhenCut) {
        if (length <= maxLength) {
            taken++;
            return true;
        }
        firstTooLong = firstTooLong == null ? position : firstTooLong;
        longest = Math.max(longest, length);
        if (choice == TooLong.TRUNCATE && usableWhenCut) {
            taken++;
            truncated++;
            return true;
        }
        skipped++;
        return false;
    }

    /** Ends the reading: refuses samples that are too long, if that is the choice, and data of which nothing is left. */
    void finish() {
        if (choice == TooLong.REFUSE && skipped > 0) {
            throw new IllegalArgumentException(
                    "%s: (%d) of (%d) samples are longer than (%d) tokens: the first is %s, the longest has (%d). Maybe allow a longer length, or choose to truncate or to skip them."
                            .formatted(source, skipped, taken + skipped, maxLength, firstTooLong, longest));
        }
        if (taken == 0) {
            throw new IllegalArgumentException(
                    skipped == 0
                            ? "%s: no samples. Maybe the data are empty or were read already.".formatted(source)
                            : "%s: none of the (%d) samples can be used within (%d) tokens. Maybe allow a longer length."
                                    .formatted(source, skipped, maxLength));
        }
        if (firstTooLong != null) {
            LOGGER.warn(
                    "{}: of {} samples {} were cut to {} tokens and {} left out; the longest had {}",
                    source,
                    taken + skipped,
                    truncated,
                    maxLength,
                    skipped,
                    longest);
        }
    }

    int truncated() {
        return truncated;
    }

    int skipped() {
        return skipped;
    }
}
