package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.adapter.LoraMatrices;
import io.plora.adapter.ModuleKey;
import io.plora.adapter.PeftAdapter;
import io.plora.kernels.Kernels;
import io.plora.kernels.cpu.CpuKernels;
import io.plora.model.BaseModel;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.parity.ExportedLogits;
import io.plora.parity.ParityFixture;
import io.plora.parity.ParityNumbers;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * What PEFT makes of an adapter that we export. PEFT has loaded the adapter in {@code parity/plora-adapter} and found the
 * logits there (see {@code export-report.jsonl} beside it); here we still write the same bytes and compute the same logits.
 */
class ExportedAdapterTest {
    private static final Path CHECKED_BY_PEFT = ParityFixture.bundled().resolve("plora-adapter");
    private static final Path WRITTEN = Path.of("target", "plora-adapter");
    private static final List<int[]> TOKENS =
            List.of(new int[] {3, 141, 59, 265, 358, 97, 93}, new int[] {500, 2, 84, 197, 16});

    @Test
    void writesTheBytesAndComputesTheLogitsThatPeftHasChecked() throws IOException {
        try (BaseModel model = BaseModel.open(ParityFixture.bundled().resolve("tiny-llama"));
                Kernels kernels = new CpuKernels()) {
            PeftAdapter adapter = adapter(model.config());
            Path folder = WRITTEN.resolve("adapter");
            adapter.save(folder);
            PackedTrainer trainer = new PackedTrainer(model.config(), DecoderWeights.load(model, kernels, 32), kernels);
            AdapterWeights weights =
                    AdapterWeights.of(model.config(), adapter.config(), kernels, PeftAdapter.load(folder));
            List<float[]> logits = TOKENS.stream()
                    .map(tokens -> trainer.logits(weights, tokens))
                    .toList();
            ExportedLogits.write(WRITTEN, TOKENS, logits);

            for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
                assertThat(folder.resolve(file)).hasSameBinaryContentAs(CHECKED_BY_PEFT.resolve(file));
            }
            assertThat(WRITTEN.resolve("tokens.json")).hasSameBinaryContentAs(CHECKED_BY_PEFT.resolve("tokens.json"));
            List<Double> expected = numbers(CHECKED_BY_PEFT);
            List<Double> actual = numbers(WRITTEN);
            assertThat(actual)
                    .hasSameSizeAs(expected)
                    .hasSize(12 * model.config().vocabularySize());
            for (int i = 0; i < expected.size(); i++) {
                assertThat(Math.abs(actual.get(i) - expected.get(i)))
                        .as("logit %d", i)
                        .isLessThan(1e-4);
            }
        }
    }

    private static PeftAdapter adapter(ModelConfig model) {
        LoraConfig config = LoraConfig.builder().withRank(2).withAlpha(5).build();
        Map<ModuleKey, LoraMatrices> modules = new HashMap<>();
        for (int layer = 0; layer < model.layers(); layer++) {
            for (TargetModule module : TargetModule.values()) {
                String key = "%d.%s".formatted(layer, module.path());
                int inputs = model.inputs(module);
                int outputs = model.outputs(module);
                float[] a = ParityNumbers.initialA(key + ".A", 2, inputs);
                float[] b = ParityNumbers.initialB(key + ".B", outputs, 2);
                modules.put(new ModuleKey(layer, module), new LoraMatrices(2, inputs, outputs, a, b));
            }
        }
        return new PeftAdapter(config, "tiny-llama", modules);
    }

    private static List<Double> numbers(Path folder) throws IOException {
        JsonNode sequences = new ObjectMapper().readTree(Files.readString(folder.resolve("logits.json")));
        List<Double> numbers = new ArrayList<>();
        for (JsonNode rows : sequences) {
            for (JsonNode row : rows) {
                row.forEach(value -> numbers.add(value.doubleValue()));
            }
        }
        return numbers;
    }
}
