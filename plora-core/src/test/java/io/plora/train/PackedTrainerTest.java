package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PackedTrainerTest {
    private static final Sample SAMPLE = new Sample(new int[] {1, 2, 3, 4}, new boolean[] {false, false, true, true});
    private static final Dataset DATA = new Dataset("samples", List.of(SAMPLE, SAMPLE, SAMPLE), 0, 0);

    private final Kernels kernels = new ReferenceKernels();
    private final ModelConfig model = RandomModel.shape(new SplittableRandom(1));
    private final PackedTrainer trainer = new PackedTrainer(model, RandomModel.weights(model, kernels, 1), kernels);

    @Test
    void aStepThatIsRefusedDoesNothing() {
        Training member = training(2);
        Training stranger = training(2);
        trainer.join(member);

        assertThatThrownBy(() -> trainer.step(Map.of(member, 1, stranger, 1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("is not in the group");
        assertThatThrownBy(() -> trainer.step(Map.of(member, 3)))
                .hasMessageContaining("was asked for (3) samples, but its open batch lacks (2)");
        assertThatThrownBy(() -> trainer.step(Map.of(member, -1))).hasMessageContaining("was asked for (-1) samples");
        assertThatThrownBy(() -> trainer.step(Map.of(member, 0))).hasMessageContaining("at least one sample");
        assertThatThrownBy(() -> trainer.step(Map.of())).hasMessageContaining("at least one sample");
        assertThat(member.hasOpenBatch()).isFalse();
        assertThat(member.batchRemaining()).isEqualTo(2);
    }

    @Test
    void aPausedTrainingGoesOnInTheMiddleOfItsBatch() {
        Training whole = training(3);
        trainer.join(whole);
        trainer.step(Map.of(whole, 3));
        trainer.leave(whole);

        Training first = training(3);
        trainer.join(first);
        trainer.step(Map.of(first, 1));
        trainer.leave(first);
        Training resumed = Training.resume(model, kernels, DATA, 1, first.snapshot());
        assertThat(resumed.batchRemaining()).isEqualTo(2);
        trainer.join(resumed);
        StepReport.Batch batch =
                trainer.step(Map.of(resumed, 2)).members().get(0).batch();

        assertThat(batch).isNotNull();
        assertThat(resumed.isDone()).isTrue();
        assertThat(Vectors.relativeError(
                        resumed.weights().parameters(), whole.weights().parameters()))
                .isLessThan(1e-6);
    }

    @Test
    void membersJoinAndLeaveOnce() {
        Training member = training(2);
        assertThatThrownBy(() -> trainer.leave(member)).hasMessageContaining("is not in the group");
        trainer.join(member);
        assertThatThrownBy(() -> trainer.join(member)).hasMessageContaining("is in the group already");
    }

    @Test
    void dataWithoutAnswersAreRefused() {
        Sample mute = new Sample(new int[] {1, 2}, new boolean[2]);
        AdapterWeights weights = AdapterWeights.initialize(model, config(1), kernels);
        assertThatThrownBy(() -> new Training(
                        weights, new Dataset("mine", List.of(SAMPLE, mute), 0, 0), 1, Training.Position.START))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Training data (mine) has samples without an answer token");
    }

    private Training training(int batchSize) {
        return new Training(
                AdapterWeights.initialize(model, config(batchSize), kernels), DATA, 1, Training.Position.START);
    }

    private static LoraConfig config(int batchSize) {
        return LoraConfig.builder()
                .withRank(4)
                .withBatchSize(batchSize)
                .withDropout(0.1)
                .build();
    }
}
