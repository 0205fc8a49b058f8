package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class PackedBatchTest {

    private static PackedBatch batch(int[] adapterStarts, int... sequenceStarts) {
        return new PackedBatch(adapterStarts, sequenceStarts, new int[5], new int[5], new float[5], null);
    }

    @Test
    void adaptersAndSequencesMayBeEmpty() {
        PackedBatch batch = batch(new int[] {0, 0, 2, 2, 5, 5}, 0, 0, 2, 2, 4, 5);

        assertThat(batch.adapters()).isEqualTo(5);
        assertThat(batch.sequences()).isEqualTo(5);
        assertThat(batch.adapterRows(0)).isZero();
        assertThat(batch.adapterRows(3)).isEqualTo(3);
        assertThat(batch.sequenceStart(3)).isEqualTo(2);
        assertThat(batch.sequenceEnd(3)).isEqualTo(4);
    }

    @Test
    void startsThatDoNotRiseFromZeroToTheRowsAreRefused() {
        for (int[] starts : new int[][] {{}, {1, 5}, {0, 4}, {0, 3, 2, 5}}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> batch(starts, 0, 5))
                    .withMessageContaining("adapterStarts")
                    .withMessageContaining("number of rows (5)");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> batch(new int[] {0, 5}, starts))
                    .withMessageContaining("sequenceStarts");
        }
    }

    @Test
    void aSequenceThatCrossesFromOneAdapterToAnotherIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> batch(new int[] {0, 3, 5}, 0, 2, 4, 5))
                .withMessageContaining("rows [2, 4)")
                .withMessageContaining("first row (3)");
    }

    @Test
    void rowArraysOfDifferentLengthsAreRefused() {
        int[] starts = {0, 2};
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PackedBatch(starts, starts, new int[2], new int[3], new float[2], null))
                .withMessageContaining("targets (3)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PackedBatch(starts, starts, new int[2], new int[2], new float[1], null))
                .withMessageContaining("lossWeights (1)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PackedBatch(starts, starts, new int[2], new int[2], new float[2], new long[3]))
                .withMessageContaining("dropoutKeys (3)");
    }

    @Test
    void aBatchForEvaluationHasNoDropoutKeys() {
        PackedBatch batch = batch(new int[] {0, 5}, 0, 5);

        assertThat(batch.hasDropout()).isFalse();
        assertThatExceptionOfType(IllegalStateException.class)
                .isThrownBy(() -> batch.dropoutKey(0))
                .withMessageContaining("evaluation");
    }
}
