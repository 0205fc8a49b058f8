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
    void aSecondRunIsFoundEqualToTheFirst() throws IOException {
        Path first = folder.resolve("first.jsonl");
        Path start = folder.resolve("start");
        assertThat(run(first, "--start", start.toString())).isZero();
        assertThat(rows(first))
                .extracting(row -> row.path("kind").asText())
                .containsExactly("losses", "losses", "losses", "ranking", "ranking");

        Path second = folder.resolve("second.jsonl");
        assertThat(run(second, "--compare-with", first.toString())).isZero();
        List<JsonNode> differences = rows(second).subList(5, 10);
        assertThat(differences).allSatisfy(row -> {
            assertThat(row.path("kind").asText()).endsWith(" difference");
            assertThat(row.path("met").asBoolean()).isTrue();
            assertThat(row.path("largest").asDouble()).isLessThan(1e-5);
        });
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
