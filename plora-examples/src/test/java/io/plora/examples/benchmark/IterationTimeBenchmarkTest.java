package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IterationTimeBenchmarkTest {
    @TempDir
    private Path folder;

    @Test
    void addsARowForEachGroupAndASummaryOfThoseNotSeen() throws IOException {
        Path results = folder.resolve("calibration.jsonl");
        int status = CommandLines.run(
                new IterationTimeBenchmark(),
                "--device",
                "CPU",
                "--models",
                ExampleFiles.model().toString(),
                "--adapters",
                "3",
                "--tokens",
                "128",
                "--calibrating",
                "2",
                "--held-out",
                "2",
                "--iterations",
                "2",
                "--warm-up",
                "1",
                "--results",
                results.toString());

        assertThat(status).isZero();
        List<String> rows = Files.readAllLines(results);
        assertThat(rows).hasSize(5);
        JsonNode group = new ObjectMapper().readTree(rows.get(3));
        assertThat(group.get("held_out").asBoolean()).isTrue();
        assertThat(group.get("work").size()).isEqualTo(7);
        for (String name : List.of("measured_ms", "predicted_ms", "nominal_ms", "adapters", "seq")) {
            assertThat(group.get(name).asDouble()).as(name).isPositive();
        }
        JsonNode summary = new ObjectMapper().readTree(rows.get(4));
        assertThat(summary.get("calibrating_iterations").asInt()).isEqualTo(4);
        assertThat(summary.get("held_out_groups").asInt()).isEqualTo(2);
        assertThat(summary.get("worst_error").asDouble())
                .isGreaterThanOrEqualTo(summary.get("median_error").asDouble());
    }
}
