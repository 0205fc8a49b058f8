package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.plora.adapter.PeftAdapter;
import io.plora.data.EncodingContext;
import io.plora.data.Sample;
import io.plora.data.TooLong;
import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import io.plora.execute.ComputeDevice;
import io.plora.kernels.Kernels;
import io.plora.model.BaseModel;
import io.plora.model.DecoderWeights;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QualityBenchmarkTest {
    private static final JsonMapper MAPPER = new JsonMapper();

    @TempDir
    private Path folder = Path.of("");

    @Test
    void saysHowFarItIsFromOthersAndTheyFromTheReference() throws IOException {
        Path others = folder.resolve("others.jsonl");
        List<String> lines = new ArrayList<>();
        for (LossCurves.Curve curve : LossCurves.train(ComputeDevice.cpu(), QualityCase.all(), 4, 2, null)) {
            lines.add(QualityBenchmark.row(curve)
                    .put("system", "plora CPU float32")
                    .toString());
            curve.losses()[1] *= 1.003;
            lines.add(QualityBenchmark.row(curve).put("system", "somebody").toString());
        }
        Files.write(others, lines);
        Path results = folder.resolve("results.jsonl");
        Path start = folder.resolve("start");

        assertThat(run(results, "--compare-with", others.toString(), "--start", start.toString()))
                .isZero();

        assertThat(rows(results).subList(0, 5))
                .extracting(row -> row.path("kind").asText())
                .containsExactly("losses", "losses", "losses", "ranking", "ranking");
        List<JsonNode> differences = rows(results).subList(5, 14);
        for (int i = 0; i < 9; i++) {
            JsonNode row = differences.get(i);
            assertThat(row.path("kind").asText()).isEqualTo("losses difference");
            boolean oursFromReference = i < 6 && i % 2 == 0;
            assertThat(row.path("largest").asDouble()).isCloseTo(oursFromReference ? 0 : 0.003, within(2e-5));
            assertThat(row.path("of").asText()).isEqualTo(i < 6 ? "plora CPU float32" : "somebody");
        }
        JsonNode written = MAPPER.readTree(start.resolve("start.json").toFile());
        assertThat(written.path("samples")).hasSize(4);
        for (JsonNode one : written.path("cases")) {
            assertThat(one.path("batches")).hasSize(2);
            assertThat(PeftAdapter.load(start.resolve(one.path("adapter").asText()))
                            .config()
                            .rank())
                    .isEqualTo(one.path("config").path("rank").asInt());
        }
    }

    private static int run(Path results, String... more) {
        List<String> arguments = new ArrayList<>(
                List.of("--device", "CPU", "--steps", "2", "--samples", "4", "--results", results.toString()));
        arguments.addAll(Arrays.asList(more));
        return CommandLines.run(new QualityBenchmark(), arguments.toArray(String[]::new));
    }

    private static List<JsonNode> rows(Path file) throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            rows.add(MAPPER.readTree(line));
        }
        return rows;
    }

    @Test
    void batchesAreThoseThatTheEngineTakes() {
        QualityCase still = new QualityCase(
                "still",
                LoraConfig.builder().withLearningRate(0).withBatchSize(3).build());
        ComputeDevice cpu = ComputeDevice.cpu();

        double[] losses =
                LossCurves.train(cpu, List.of(still), 7, 5, null).get(0).losses();

        try (BaseModel model = BaseModel.open(ExampleFiles.model());
                Kernels kernels = cpu.open()) {
            List<Sample> samples = ExampleFiles.problems("train.jsonl")
                    .withLimit(7)
                    .load(EncodingContext.of(model, 1024, TooLong.REFUSE))
                    .samples();
            AdapterWeights adapter = AdapterWeights.initialize(model.config(), still.config(), kernels);
            double[] sums = new PackedTrainer(model.config(), DecoderWeights.load(model, kernels, 1024), kernels)
                    .evaluate(List.of(adapter), samples, 1024)[0];
            List<int[]> batches = still.batches(5, 7);
            assertThat(batches).extracting(batch -> batch.length).containsExactly(3, 3, 1, 3, 3);
            for (int step = 0; step < 5; step++) {
                double sum = Arrays.stream(batches.get(step))
                        .mapToDouble(i -> sums[i])
                        .sum();
                int tokens = Arrays.stream(batches.get(step))
                        .map(i -> samples.get(i).answerTokens())
                        .sum();
                assertThat(losses[step]).isCloseTo(sum / tokens, within(1e-5));
            }
        }
    }
}
