package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class TrainingLengthTest {
    /** 10 for an iteration, 1 for a token, 100 for a step of 1000 parameters. */
    private static final GroupTime SIMPLE_TIME =
            (work, degree) -> (10 + work.tokens() + 0.1 * work.steppedParameters()) / degree;

    @Test
    void aShortLastBatchIsAStepToo() {
        assertThat(new TrainingLength(7473, 1, 1).steps()).isEqualTo(7473);
        assertThat(new TrainingLength(7473, 32, 1).stepsPerEpoch()).isEqualTo(234); // 233 x 32 = 7456
        assertThat(new TrainingLength(7473, 32, 3).steps()).isEqualTo(702);
        assertThat(new TrainingLength(10, 32, 1).steps()).isEqualTo(1);
    }

    @Test
    void batchesAreSplitIntoMicroBatches() {
        // 20 samples: batches of 8, 8, 4; by threes: 3 + 3 + 2
        TrainingLength length = new TrainingLength(20, 8, 2);

        assertThat(length.iterations(8)).isEqualTo(6);
        assertThat(length.iterations(4)).isEqualTo(10);
        assertThat(length.iterations(3)).isEqualTo(16);
        assertThat(length.iterations(100)).isEqualTo(6);
    }

    @Test
    void everyMicroBatchPaysForItsIterationAndOnlyTheLastSteps() {
        TrainingLength length = new TrainingLength(20, 8, 2);

        // all samples of 5 tokens: 2 x 20 x 5 = 200; 6 steps of 100; 10 for each iteration
        assertThat(length.chainSeconds(SIMPLE_TIME, 1, 1000, 5, 8)).isCloseTo(200 + 600 + 60, within(1e-9));
        assertThat(length.chainSeconds(SIMPLE_TIME, 1, 1000, 5, 3)).isCloseTo(200 + 600 + 160, within(1e-9));
        assertThat(length.chainSeconds(SIMPLE_TIME, 2, 1000, 5, 8)).isCloseTo(430, within(1e-9));
    }

    @Test
    void smallMicroBatchesCostTimeOnAGpu() {
        RooflineTime time = new RooflineTime(ModelShapes.of("Qwen2.5-3B"), DeviceSpec.A100_40GB);
        TrainingLength length = new TrainingLength(1000, 16, 1);

        double whole = length.chainSeconds(time, 1, 30_000_000, 100, 16);
        double split = length.chainSeconds(time, 1, 30_000_000, 100, 2);
        assertThat(split).isBetween(1.2 * whole, 8 * whole);
    }

    @Test
    void nothingToTrainIsRefused() {
        assertThatThrownBy(() -> new TrainingLength(0, 1, 1)).hasMessageContaining("samples (0)");
        assertThatThrownBy(() -> new TrainingLength(1, 1, 1).iterations(0)).hasMessageContaining("(0)");
    }
}
