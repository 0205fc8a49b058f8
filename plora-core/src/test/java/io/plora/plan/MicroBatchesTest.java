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
    }

    @Test
    void formulaAgreesWithWalking() {
        Random random = new Random(2);
        for (int i = 0; i < 2000; i++) {
            int samples = 1 + random.nextInt(40);
            int batch = 1 + random.nextInt(9);
            MicroBatches parts = new MicroBatches(random.nextInt(samples), samples, batch, 1 + random.nextInt(batch));
            int position = parts.position();
            int iterations = 0;
            while (position < samples) {
                position = Math.min(Math.min(samples, (position / batch + 1) * batch), position + parts.share());
                iterations++;
            }
            assertThat(parts.iterations()).isEqualTo(iterations);
        }
    }
}
