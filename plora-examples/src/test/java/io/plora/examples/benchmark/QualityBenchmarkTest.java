package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
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
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class QualityBenchmarkTest {
    private static final JsonMapper MAPPER = new JsonMapper();

    @TempDir
    private Path folder = Path.of("");

    @Test
    void saysHowFarItIsFromOthersAndTheyFromTheReference() throws IOException {
        Path reference = folder.resolve("reference.jsonl");
        assertThat(run(reference)).isZero();
        Path others = Files.write(
                folder.resolve("others.jsonl"),
                rows(reference).subList(0, 3).stream()
                        .map(QualityBenchmarkTest::somebodys)
                        .toList());
        Path results = folder.resolve("results.jsonl");
        Path start = folder.resolve("start");

        assertThat(run(results, "--compare-with", reference + "," + others, "--start", start.toString()))
                .isZero();

        assertThat(rows(results).subList(0, 5))
                .extracting(row -> row.path("kind").asText())
                .containsExactly("losses", "losses", "losses", "ranking", "ranking");
        List<JsonNode> differences = rows(results).subList(5, rows(results).size());
        assertThat(differences).hasSize(11);
        for (int i = 0; i < 11; i++) {
            JsonNode row = differences.get(i);
            boolean ranking = i == 6 || i == 7;
            assertThat(row.path("kind").asText()).isEqualTo(ranking ? "ranking difference" : "losses difference");
            boolean oursFromReference = i < 6 && i % 2 == 0 || ranking;
            assertThat(row.path("largest").asDouble()).isCloseTo(oursFromReference ? 0 : 0.003, within(2e-5));
            assertThat(row.path("of").asText()).isEqualTo(i < 8 ? "plora CPU float32" : "somebody");
            assertThat(row.path("device").asText())
                    .isEqualTo(i < 8 ? ComputeDevice.cpu().name() : "a machine");
            assertThat(row.has("cpu") && row.has("time") && row.has("command")).isTrue();
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

    @Test
    void otherRowsWithoutOneOfItsCasesAreRefusedBeforeItTrains() throws IOException {
        Path others = Files.writeString(
                folder.resolve("others.jsonl"),
                QualityCase.all().stream()
                        .map(one -> "{\"kind\":\"losses\",\"case\":\"%s\"}\n".formatted(one.name()))
                        .collect(Collectors.joining()));
        Path results = folder.resolve("results.jsonl");
        StringWriter errors = new StringWriter();

        int status = new CommandLine(new QualityBenchmark())
                .setExecutionExceptionHandler((failure, command, parsed) -> {
                    errors.write(failure.getMessage());
                    return 1;
                })
                .execute(arguments(results, "--compare-with", others.toString()));

        assertThat(status).isEqualTo(1);
        assertThat(errors.toString()).contains("(ranking)", "(gsm8k)", others.toString());
        assertThat(results).doesNotExist();
    }

    /** The same losses but one, of another system elsewhere. */
    private static String somebodys(JsonNode row) {
        ObjectNode other = row.deepCopy();
        ArrayNode losses = other.withArray("losses");
        losses.set(1, losses.get(1).asDouble() * 1.003);
        return other.put("system", "somebody").put("device", "a machine").toString();
    }

    private static int run(Path results, String... more) {
        return CommandLines.run(new QualityBenchmark(), arguments(results, more));
    }

    private static String[] arguments(Path results, String... more) {
        List<String> arguments = new ArrayList<>(
                List.of("--device", "CPU", "--steps", "2", "--samples", "4", "--results", results.toString()));
        arguments.addAll(Arrays.asList(more));
        return arguments.toArray(String[]::new);
    }

    private static List<JsonNode> rows(Path file) throws IOException {
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            rows.add(MAPPER.readTree(line));
        }
        return rows;
    }

    @Test
    void aCaseThatCannotGoOnIsNamed() {
        QualityCase diverging = new QualityCase(
                "diverging",
                LoraConfig.builder().withLearningRate(1e30).withBatchSize(4).build());

        assertThatIllegalStateException()
                .isThrownBy(() -> LossCurves.train(ComputeDevice.cpu(), List.of(diverging), 4, 5, null))
                .withMessageContaining("Case (diverging): The ");
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
