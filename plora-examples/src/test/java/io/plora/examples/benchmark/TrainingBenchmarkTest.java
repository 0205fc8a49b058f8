package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.MemoryModel;
import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import io.plora.execute.ComputeDevice;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingBenchmarkTest {
    private static final ModelConfig TINY = ModelConfig.read(ExampleFiles.model());

    @TempDir
    private Path folder = Path.of("");

    @Test
    void addsARowForEachLength() throws IOException {
        Path results = folder.resolve("results/training.jsonl");
        int status = CommandLines.run(
                new TrainingBenchmark(),
                "--device",
                "CPU",
                "--models",
                ExampleFiles.model().toString(),
                "--adapters",
                "3",
                "--tokens",
                "8,16",
                "--ranks",
                "4,8",
                "--steps",
                "3",
                "--warm-up",
                "1",
                "--results",
                results.toString());

        assertThat(status).isZero();
        List<String> rows = Files.readAllLines(results);
        assertThat(rows).hasSize(2);
        JsonNode row = new ObjectMapper().readTree(rows.get(1));
        assertThat(row.get("kind").asText()).isEqualTo("packed");
        assertThat(row.get("batch").asInt()).isEqualTo(1);
        assertThat(row.get("seq").asInt()).isEqualTo(16);
        assertThat(row.get("rank")).hasToString("[4,8]");
        assertThat(row.get("adapters").asInt()).isEqualTo(3);
        assertThat(row.get("passes").asInt()).isEqualTo(1);
        assertThat(row.get("activations").asText()).isEqualTo("KEEP_ALL");
        assertThat(row.get("command").asText()).contains("TrainingBenchmark", "--tokens 8,16");
        for (String name : List.of(
                "ms",
                "slowest_ms",
                "tokens_per_s",
                "peak_gib",
                "utilisation",
                "predicted_ms",
                "predicted_gib",
                "peak_tflops")) {
            assertThat(row.get(name).asDouble()).as(name).isPositive();
        }
    }

    @Test
    void stepsAreMadeInAsFewPassesAsMemoryAllows() {
        List<LoraConfig> configs = configs(8);
        MemoryModel memory = ComputeDevice.cpu(1, 1).memory(TINY);
        long adapters = 8 * memory.adapterBytes(configs.get(0), 1);
        long sample = 100 * memory.tokenBytes(configs.get(0), 1);
        ComputeDevice threeAtOnce = ComputeDevice.cpu(1, memory.baseBytes(1) + adapters + 3 * sample);

        StepPlan plan = StepPlan.of(TINY, configs, 100, threeAtOnce, ActivationPolicy.KEEP_ALL);

        assertThat(plan.passes()).extracting(List::size).containsExactly(2, 3, 3);
        assertThat(plan.passes().stream().flatMap(List::stream)).containsExactlyElementsOf(configs);
        long logitsOfFewRows = memory.baseBytes(1) - memory.forPassesOf(300).baseBytes(1);
        assertThat(plan.predictedBytes()).isEqualTo(threeAtOnce.memoryBytes() - logitsOfFewRows);
        assertThat(StepPlan.of(TINY, configs, 100, ComputeDevice.cpu(1, 1L << 34), null))
                .satisfies(whole -> assertThat(whole.passes()).hasSize(1))
                .satisfies(whole -> assertThat(whole.policy()).isEqualTo(ActivationPolicy.KEEP_ALL));
    }

    @Test
    void adaptersThatDoNotFitAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> StepPlan.of(TINY, configs(8), 100, ComputeDevice.cpu(1, 1 << 20), null))
                .withMessageContaining("(8) adapters")
                .withMessageContaining("(1.0 MiB)");
    }

    private static List<LoraConfig> configs(int count) {
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            configs.add(LoraConfig.builder().withRank(8).withSeed(i).build());
        }
        return configs;
    }
}
