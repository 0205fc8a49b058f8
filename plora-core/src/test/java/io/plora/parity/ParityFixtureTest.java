package io.plora.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.plora.adapter.ModuleKey;
import io.plora.adapter.PeftAdapter;
import io.plora.data.Sample;
import io.plora.kernels.DType;
import io.plora.kernels.OptimizerStep;
import io.plora.model.SafetensorsWriter;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import io.plora.space.Schedule;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class ParityFixtureTest {

    private static final String DESCRIPTION = """
            {"name": "small", "model": "tiny-llama", "warmup_steps": 1, "logits_stride": 2,
             "config": {"rank": 1, "alpha": 2, "learning_rate": 0.001, "batch_size": 2, "dropout": 0.0,
                        "target_modules": ["v_proj"], "weight_decay": 0.1, "warmup_ratio": 0.5, "schedule": "LINEAR",
                        "rank_stabilized": true, "lora_plus_ratio": 1.0, "max_gradient_norm": 0.5, "optimizer": "SGD", "seed": 0},
             "batches": [[{"tokens": [7, 8, 9], "answer": "010"}, {"tokens": [5, 6], "answer": "01"}]],
             "steps": [{"loss": 1.5, "gradient_norm": 2.0, "learning_rate": 0.0, "projections": [1.0, -2.0]}]}
            """;

    @TempDir
    private Path folder;

    @BeforeEach
    void writeOneCase() throws IOException {
        try (OutputStream output = new GZIPOutputStream(Files.newOutputStream(folder.resolve("small.json.gz")))) {
            new JsonMapper().writeValue(output, new JsonMapper().readTree(DESCRIPTION));
        }
        SafetensorsWriter writer = new SafetensorsWriter();
        for (int layer = 0; layer < 2; layer++) {
            String module = "base_model.model.model.layers.%d.self_attn.v_proj.".formatted(layer);
            for (String prefix : List.of("gradient.", "final.")) {
                add(writer, prefix + module + "lora_A.weight", layer + (prefix.equals("final.") ? 10 : 0), 1, 3);
                add(writer, prefix + module + "lora_B.weight", layer + (prefix.equals("final.") ? 20 : 5), 2, 1);
            }
        }
        add(writer, "logits.first", 1, 4);
        add(writer, "logits.last", 2, 4);
        add(writer, "logits.sampled", 3, 2, 2);
        writer.write(folder.resolve("small.safetensors"));
    }

    private static void add(SafetensorsWriter writer, String name, float value, long... shape) {
        TensorInfo info = new TensorInfo(DType.F32, shape);
        float[] values = new float[(int) info.size()];
        Arrays.fill(values, value);
        writer.withTensor(name, info, TensorData.of(values));
    }

    @Test
    void readsConfigurationSamplesAndSteps() {
        ParityCase parity = ParityFixture.read(folder, "small");
        assertThat(parity.name()).isEqualTo("small");
        assertThat(parity.model()).isEqualTo("tiny-llama");
        assertThat(parity.warmupSteps()).isEqualTo(1);
        assertThat(parity.config().targetModules()).containsExactly(TargetModule.V_PROJ);
        assertThat(parity.config().schedule()).isEqualTo(Schedule.LINEAR);
        assertThat(parity.config().optimizer()).isEqualTo(OptimizerStep.Rule.SGD);
        assertThat(parity.batches())
                .containsExactly(List.of(
                        new Sample(new int[] {7, 8, 9}, new boolean[] {false, true, false}),
                        new Sample(new int[] {5, 6}, new boolean[] {false, true})));
        assertThat(parity.steps()).singleElement().satisfies(step -> {
            assertThat(step.loss()).isEqualTo(1.5);
            assertThat(step.gradientNorm()).isEqualTo(2);
            assertThat(step.projections()).containsExactly(1, -2);
        });
    }

    @Test
    void readsTensorsAndMakesTheInitialOnesOfTheirShapes() {
        ParityCase parity = ParityFixture.read(folder, "small");
        ModuleKey module = new ModuleKey(1, TargetModule.V_PROJ);
        assertThat(parity.trained()).hasSize(2).containsKey(module);
        assertThat(parity.trained().get(module).a()).containsExactly(11, 11, 11);
        assertThat(parity.trained().get(module).b()).containsExactly(21, 21);
        assertThat(parity.firstGradient().get(module).a()).containsExactly(1, 1, 1);
        assertThat(parity.firstGradient().get(module).b()).containsExactly(6, 6);
        assertThat(parity.initial().get(module).a())
                .containsExactly(
                        ParityNumbers.initialA("base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight", 1, 3));
        assertThat(parity.logits().sampled()).hasSize(4);
        assertThat(parity.logits().stride()).isEqualTo(2);
    }

    @Test
    void listsTheCasesOfAFolder() {
        assertThat(ParityFixture.readAll(folder)).extracting(ParityCase::name).containsExactly("small");
    }

    @Test
    void aMissingCaseIsNamed() {
        assertThatThrownBy(() -> ParityFixture.read(folder, "none"))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("none.json.gz");
    }

    @Test
    void logitsForPeftToVerifyAreNestedBySequenceAndRow() throws IOException {
        ExportedLogits.write(
                folder, List.of(new int[] {4, 5}, new int[] {6}), List.of(new float[] {1, 2, 3, 4}, new float[] {5.5f, 6
                }));
        assertThat(folder.resolve("tokens.json")).content().isEqualTo("[[4,5],[6]]");
        assertThat(folder.resolve("logits.json")).content().isEqualTo("[[[1.0,2.0],[3.0,4.0]],[[5.5,6.0]]]");
    }

    /** Python's projections, norm and full gradient are of the same values, and so are its learning rates and our schedule. */
    @TestFactory
    Stream<DynamicTest> bundledCasesAgreeWithThemselves() {
        return ParityFixture.readAll(ParityFixture.bundled()).stream()
                .map(parity -> DynamicTest.dynamicTest(parity.name(), () -> agreesWithItself(parity)));
    }

    @TestFactory
    Stream<DynamicTest> anAdapterThatPeftSavedIsReadBack() {
        return ParityFixture.readAll(ParityFixture.bundled()).stream()
                .filter(parity -> parity.name().equals("llama-outputs-clip"))
                .map(parity -> DynamicTest.dynamicTest(parity.name(), () -> {
                    PeftAdapter adapter =
                            PeftAdapter.load(ParityFixture.bundled().resolve("peft-adapter"));
                    assertThat(adapter.config().scale())
                            .isEqualTo(parity.config().scale());
                    assertThat(adapter.modules().keySet())
                            .isEqualTo(parity.trained().keySet());
                    assertThat(LoraVectors.flat(adapter.modules())).isEqualTo(LoraVectors.flat(parity.trained()));
                }));
    }

    private static void agreesWithItself(ParityCase parity) {
        int steps = parity.steps().size();
        assertThat(parity.batches())
                .hasSize(steps)
                .allSatisfy(batch -> assertThat(batch)
                        .hasSize(parity.config().batchSize())
                        .allSatisfy(sample -> assertThat(sample.answerTokens()).isPositive()));
        assertThat(parity.gradientError(0, parity.firstGradient())).isLessThan(1e-6);
        assertThat(parity.movementErrorOfA(parity.initial())).isEqualTo(1);
        for (int step = 0; step < steps; step++) {
            double factor = parity.config().schedule().factor(step, parity.warmupSteps(), steps);
            double expected = parity.config().learningRate() * factor;
            assertThat(parity.steps().get(step).learningRate()).isCloseTo(expected, within(1e-12));
        }
    }
}
