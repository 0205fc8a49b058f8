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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Trains what PEFT trained, from the same start on the same batches, and compares every step. */
class PeftParityTest {
    private static final Logger LOGGER = LoggerFactory.getLogger(PeftParityTest.class);

    /**
     * How far from PEFT's float32 training may be.
     *
     * @param logits before training, absolute
     * @param loss of each step, relative
     * @param gradient of each step before clipping, relative norm
     * @param movement of A and of B over all steps, relative norm
     */
    private record Tolerance(double logits, double loss, double gradient, double movement) {
        Tolerance twice() {
            return new Tolerance(2 * logits, 2 * loss, 2 * gradient, 2 * movement);
        }
    }

    private static final Tolerance FLOAT32 = new Tolerance(1e-4, 1e-5, 1e-4, 1e-3);

    /** What rounding to bf16 after every operation changes, of {@link RoundingKernels}: 0.183, 5.1e-3, 5.8e-2 and 3.9e-2 at most. */
    private static final Tolerance ROUNDED = new Tolerance(0.2, 5.5e-3, 6.5e-2, 4.5e-2);

    /** A GPU rounds adapters and low-rank gradients too, and attention's probabilities. */
    private static final Tolerance GPU = ROUNDED.twice();

    static List<ParityCase> cases() {
        List<ParityCase> cases = ParityFixture.readAll(ParityFixture.bundled());
        assertThat(cases).hasSize(9);
        return cases;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void cpuTrainsAsPeftDoes(ParityCase peft) {
        compare(peft, CpuKernels::new, FLOAT32);
    }

    /** The weights of the other model's file are not bf16. */
    static Stream<ParityCase> casesInBf16() {
        return ParityFixture.readAll(ParityFixture.bundled()).stream()
                .filter(peft -> peft.model().equals("tiny-qwen2"));
    }

    @ParameterizedTest
    @MethodSource("casesInBf16")
    void roundedToBf16ItTrainsNearlyAsPeftDoes(ParityCase peft) {
        compare(peft, () -> RoundingKernels.of(new CpuKernels()), ROUNDED);
    }

    @Tag("gpu")
    @ParameterizedTest
    @MethodSource("casesInBf16")
    void gpuTrainsNearlyAsPeftDoes(ParityCase peft) {
        compare(peft, Gpu::kernels, GPU);
    }

    /** Double precision takes long: a case of each model is enough to tell rounding from mistakes. */
    static Stream<ParityCase> someCases() {
        return cases().stream()
                .filter(peft -> List.of("qwen-qv-linear", "llama-outputs-clip").contains(peft.name()));
    }

    @ParameterizedTest
    @MethodSource("someCases")
    void referenceTrainsAsPeftDoes(ParityCase peft) {
        compare(peft, ReferenceKernels::new, FLOAT32);
    }

    private static void compare(ParityCase peft, Supplier<Kernels> device, Tolerance tolerance) {
        try (Kernels plain = device.get();
                BaseModel model = BaseModel.open(folder(peft.model()))) {
            RecordingKernels recording = new RecordingKernels(plain);
            Kernels kernels = recording.kernels();
            PackedTrainer trainer =
                    new PackedTrainer(model.config(), DecoderWeights.load(model, kernels, 128), kernels);
            AdapterWeights weights = AdapterWeights.of(model.config(), peft.config(), kernels, peft.initialAdapter());
            int[] tokens = peft.batches().get(0).get(0).tokens();
            require(peft, "logits", peft.logits().error(trainer.logits(weights, tokens)), tolerance.logits());

            Training training = new Training(weights, inOrder(peft), 1, Training.Position.START);
            trainer.join(training);
            for (int step = 0; step < peft.steps().size(); step++) {
                StepReport.Batch batch = step(trainer, training);
                assertThat(batch.learningRate())
                        .as("learning rate of step %d", step)
                        .isCloseTo(peft.steps().get(step).learningRate(), within(1e-12));
                require(peft, "loss of step " + step, peft.lossError(step, batch.loss()), tolerance.loss());
                SortedMap<ModuleKey, LoraMatrices> gradient = AdapterWeights.of(
                                model.config(),
                                peft.config(),
                                kernels,
                                recording.gradients(weights).get(step))
                        .toPeftAdapter("")
                        .modules();
                require(peft, "gradient of step " + step, peft.gradientError(step, gradient), tolerance.gradient());
                if (step == 0) {
                    require(peft, "first gradient", peft.firstGradientError(gradient), tolerance.gradient());
                }
            }
            SortedMap<ModuleKey, LoraMatrices> trained =
                    weights.toPeftAdapter("").modules();
            require(peft, "movement of A", peft.movementErrorOfA(trained), tolerance.movement());
            require(peft, "movement of B", peft.movementErrorOfB(trained), tolerance.movement());
        }
    }

    private static void require(ParityCase peft, String what, double error, double tolerance) {
        LOGGER.debug("{}: {} differs by {}", peft, what, error);
        assertThat(error).as(what).isLessThan(tolerance);
    }

    private static Path folder(String model) {
        Path made = ParityFixture.bundled().resolve(model);
        return Stream.of(made, Path.of("plora-examples/models", model)) // where a bundle's tests run
                .filter(Files::isDirectory)
                .findFirst()
                .orElse(Path.of("../plora-examples/models", model));
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
