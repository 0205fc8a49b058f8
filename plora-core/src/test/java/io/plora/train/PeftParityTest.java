package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.common.math.IntMath;
import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import io.plora.data.DataOrder;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.cpu.CpuKernels;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.BaseModel;
import io.plora.model.DecoderWeights;
import io.plora.parity.ParityCase;
import io.plora.parity.ParityFixture;
import java.math.RoundingMode;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Trains what PEFT trained, from the same start on the same batches, and compares every step. */
class PeftParityTest {
    private static final Path BUNDLED_MODELS = Path.of("../plora-examples/models");

    static List<ParityCase> cases() {
        List<ParityCase> cases = ParityFixture.readAll(ParityFixture.bundled());
        assertThat(cases).hasSize(9);
        return cases;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void cpuTrainsAsPeftDoes(ParityCase peft) {
        compare(peft, CpuKernels::new);
    }

    /** Double precision takes long: a case of each model is enough to tell rounding from mistakes. */
    static Stream<ParityCase> someCases() {
        return cases().stream()
                .filter(peft -> List.of("qwen-qv-linear", "llama-outputs-clip").contains(peft.name()));
    }

    @ParameterizedTest
    @MethodSource("someCases")
    void referenceTrainsAsPeftDoes(ParityCase peft) {
        compare(peft, ReferenceKernels::new);
    }

    private static void compare(ParityCase peft, Supplier<Kernels> device) {
        try (Kernels plain = device.get();
                BaseModel model = BaseModel.open(folder(peft.model()))) {
            RecordingKernels recording = new RecordingKernels(plain);
            Kernels kernels = recording.kernels();
            PackedTrainer trainer =
                    new PackedTrainer(model.config(), DecoderWeights.load(model, kernels, 128), kernels);
            AdapterWeights weights = AdapterWeights.of(model.config(), peft.config(), kernels, peft.initialAdapter());
            int[] tokens = peft.batches().get(0).get(0).tokens();
            assertThat(peft.logits().error(trainer.logits(weights, tokens)))
                    .as("logits")
                    .isLessThan(1e-4);

            Training training = new Training(weights, inOrder(peft), 1, Training.Position.START);
            trainer.join(training);
            for (int step = 0; step < peft.steps().size(); step++) {
                StepReport.Batch batch = step(trainer, training);
                assertThat(batch.learningRate())
                        .as("learning rate of step %d", step)
                        .isCloseTo(peft.steps().get(step).learningRate(), within(1e-12));
                assertThat(peft.lossError(step, batch.loss()))
                        .as("loss of step %d", step)
                        .isLessThan(1e-5);
                SortedMap<ModuleKey, LoraMatrices> gradient = AdapterWeights.of(
                                model.config(),
                                peft.config(),
                                kernels,
                                recording.gradients(weights).get(step))
                        .toPeftAdapter("")
                        .modules();
                assertThat(peft.gradientError(step, gradient))
                        .as("gradient of step %d", step)
                        .isLessThan(1e-4);
                if (step == 0) {
                    assertThat(peft.firstGradientError(gradient)).isLessThan(1e-4);
                }
            }
            SortedMap<ModuleKey, LoraMatrices> trained =
                    weights.toPeftAdapter("").modules();
            assertThat(peft.movementErrorOfA(trained)).as("movement of A").isLessThan(1e-3);
            assertThat(peft.movementErrorOfB(trained)).as("movement of B").isLessThan(1e-3);
        }
    }

    private static Path folder(String model) {
        Path made = ParityFixture.bundled().resolve(model);
        return made.toFile().isDirectory() ? made : BUNDLED_MODELS.resolve(model);
    }

    /** The samples, laid so that the training's own order visits them batch by batch. */
    private static Dataset inOrder(ParityCase peft) {
        List<Sample> samples = peft.batches().stream().flatMap(List::stream).toList();
        int[] order = new DataOrder(peft.config().seed(), samples.size()).epoch(0);
        Sample[] laid = new Sample[samples.size()];
        for (int i = 0; i < order.length; i++) {
            laid[order[i]] = samples.get(i);
        }
        return new Dataset(peft.name(), Arrays.asList(laid), 0, 0);
    }

    /** One optimizer step, its batch taken in two parts where it can be. */
    private static StepReport.Batch step(PackedTrainer trainer, Training training) {
        int all = training.batchRemaining();
        int first = IntMath.divide(all, 2, RoundingMode.CEILING);
        StepReport report = trainer.step(Map.of(training, first));
        if (first < all) {
            report = trainer.step(Map.of(training, all - first));
        }
        StepReport.Batch batch = report.members().get(0).batch();
        assertThat(batch).isNotNull();
        return batch;
    }
}
