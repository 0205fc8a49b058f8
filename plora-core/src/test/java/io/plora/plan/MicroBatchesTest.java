package io.plora.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class MicroBatchesTest {

    @Test
    void batchIsSplitIntoPartsAndARest() {
        // 10 samples in batches of 4, 3 an iteration: 3, 1 | 3, 1 | 2
        MicroBatches parts = new MicroBatches(0, 10, 4, 3);

        assertThat(parts.iterations()).isEqualTo(5);
        assertThat(parts.positionAfter(1)).isEqualTo(3);
        assertThat(parts.positionAfter(3)).isEqualTo(7);
        assertThat(parts.positionAfter(5)).isEqualTo(10);
        assertThat(parts.batchesEnded(0, 7)).isEqualTo(1);
        assertThat(parts.batchesEnded(0, 10)).isEqualTo(3);
        assertThat(parts.iterationsFor(4)).isEqualTo(2);
        assertThat(parts.iterationsFor(11)).isEqualTo(6);
    }

    @Test
    void formulasAgreeWithWalking() {
        Random random = new Random(2);
        for (int i = 0; i < 2000; i++) {
            int samples = 1 + random.nextInt(40);
            int batch = 1 + random.nextInt(9);
            MicroBatches parts = new MicroBatches(random.nextInt(samples), samples, batch, 1 + random.nextInt(batch));
            int position = parts.position();
            int steps = 0;
            int iterations = 0;
            while (position < samples) {
                assertThat(parts.positionAfter(iterations)).isEqualTo(position);
                int next = parts.next(position);
                steps += next % batch == 0 || next == samples ? 1 : 0;
                position = next;
                iterations++;
                assertThat(parts.batchesEnded(parts.position(), position)).isEqualTo(steps);
                assertThat(parts.iterationsFor(position - parts.position())).isEqualTo(iterations);
            }
            assertThat(parts.iterations()).isEqualTo(iterations);
        }
    }
}
