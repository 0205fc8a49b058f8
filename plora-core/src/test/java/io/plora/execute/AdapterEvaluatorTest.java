package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.plora.Evaluation;
import io.plora.Metric;
import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import io.plora.adapter.PeftAdapter;
import io.plora.data.ChoiceData;
import io.plora.data.TextData;
import io.plora.model.BaseModel;
import io.plora.model.ModelFormatException;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterEvaluatorTest {
    private static final LoraConfig CONFIG = TinySweeps.config(16, 1)
            .withTargetModules(List.of(TargetModule.Q_PROJ))
            .build();

    private final AdapterEvaluator evaluator =
            AdapterEvaluator.of(TinySweeps.MODEL).withData(TinySweeps.samples(2, 3));

    @TempDir
    private Path folder;

    private List<Path> adapters;

    @BeforeEach
    void saveAdapters() {
        adapters = List.of(save(1, 4, 128), save(2, 4, 128), save(3, 4, 128));
    }

    @Test
    void adaptersEvaluateTogetherAsTheyDoAlone() {
        List<Evaluation> together = evaluator.evaluate(adapters);

        assertThat(together)
                .extracting(evaluation -> evaluation.value(Metric.VALIDATION_LOSS))
                .doesNotHaveDuplicates();
        for (int i = 0; i < adapters.size(); i++) {
            Evaluation alone = evaluator.evaluate(adapters.get(i));
            assertThat(together.get(i).value(Metric.VALIDATION_LOSS))
                    .isCloseTo(alone.value(Metric.VALIDATION_LOSS), within(1e-5));
            assertThat(together.get(i).items()).isEqualTo(3);
            assertThat(together.get(i).epoch()).isZero();
        }
    }

    @Test
    void moreAdaptersThanMemoryHoldsTakeTurns() {
        AtomicInteger passes = new AtomicInteger();
        long memory = roomFor(2);
        TestDevice device = TestDevice.of("small", memory, (call, method, arguments) -> {
            if (method.getName().equals("crossEntropy")) {
                passes.incrementAndGet();
            }
            return call.proceed();
        });
        List<Evaluation> inTurn = evaluator.withDevice(device).evaluate(adapters);

        assertThat(passes.get()).isGreaterThan(2);
        List<Evaluation> together = evaluator.evaluate(adapters);
        for (int i = 0; i < adapters.size(); i++) {
            assertThat(inTurn.get(i).value(Metric.VALIDATION_LOSS))
                    .isCloseTo(together.get(i).value(Metric.VALIDATION_LOSS), within(1e-5));
        }
    }

    /** Memory for some adapters and the longest sequence, of 20 tokens. */
    private static long roomFor(int adapters) {
        try (var model = BaseModel.open(TinySweeps.MODEL)) {
            var memory = ComputeDevice.cpu(1, 1).memory(model.config());
            return memory.baseBytes(1) + adapters * memory.adapterBytes(CONFIG, 1) + 20 * memory.tokenBytes(CONFIG, 1);
        }
    }

    @Test
    void measuresChoicesToo() {
        ChoiceData task = TextData.examples(
                        List.of(Map.of("what", "one", "label", "a"), Map.of("what", "two", "label", "b")))
                .withPrompt("{what}:")
                .asChoices("label")
                .withCandidate("a", " yes")
                .withCandidate("b", " no");

        assertThat(evaluator.withTask(task).evaluate(adapters.get(0)).values()).containsOnlyKeys(Metric.values());
    }

    @Test
    void refusesWhatItCannotEvaluate() {
        assertThatThrownBy(() -> AdapterEvaluator.of(TinySweeps.MODEL).evaluate(adapters))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("Maybe call withData or withTask");
        assertThatThrownBy(() -> evaluator.evaluate(folder.resolve("nowhere")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("nowhere");
        assertThatThrownBy(() -> evaluator.evaluate(save(4, 3, 128)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("The adapter has (3) layers, the model (4)");
        assertThatThrownBy(() -> evaluator.evaluate(save(5, 4, 64)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("q_proj");
        assertThatThrownBy(() ->
                        evaluator.withDevice(TestDevice.of("small", roomFor(0))).evaluate(adapters.get(1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Adapter (" + adapters.get(1) + ") needs")
                .hasMessageContaining("even alone");
        assertThatThrownBy(() -> evaluator.withMaxLength(5).evaluate(adapters))
                .hasMessageContaining("longer than (5) tokens");
        assertThatThrownBy(() -> evaluator.withTokenBudget(0)).hasMessageContaining("Token budget (0)");
    }

    private Path save(long seed, int layers, int size) {
        SplittableRandom random = new SplittableRandom(seed);
        Map<ModuleKey, LoraMatrices> modules = new HashMap<>();
        for (int layer = 0; layer < layers; layer++) {
            modules.put(
                    new ModuleKey(layer, TargetModule.Q_PROJ),
                    new LoraMatrices(16, size, size, values(random, 16 * size), values(random, 16 * size)));
        }
        Path path = folder.resolve("adapter-" + seed);
        new PeftAdapter(CONFIG, "tiny", modules).save(path);
        return path;
    }

    private static float[] values(SplittableRandom random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (0.3 * (random.nextDouble() - 0.5));
        }
        return values;
    }
}
