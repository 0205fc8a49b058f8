package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.cost.IterationParts;
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
    void eachGroupIsPredictedByEachOtherAndByAllOthers() throws IOException {
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
                "64",
                "--groups",
                "3",
                "--iterations",
                "2",
                "--warm-up",
                "1",
                "--first-seconds",
                "0",
                "--results",
                results.toString());

        assertThat(status).isZero();
        List<String> rows = Files.readAllLines(results);
        assertThat(rows).hasSize(4);
        JsonNode group = new ObjectMapper().readTree(rows.get(2));
        assertThat(group.get("errors").size()).isEqualTo(3);
        assertThat(group.get("factors").size()).isEqualTo(IterationParts.names().size());
        assertThat(group.get("work").size()).isEqualTo(2);
        assertThat(group.get("work").get(1).size()).isEqualTo(7);
        for (String name : List.of("measured_ms", "nominal_ms", "adapters", "seq")) {
            assertThat(group.get(name).asDouble()).as(name).isPositive();
        }
        JsonNode summary = new ObjectMapper().readTree(rows.get(3));
        assertThat(summary.get("nominal").get("predictions").asInt()).isEqualTo(3);
        assertThat(summary.get("by_one_group").get("predictions").asInt()).isEqualTo(6);
        assertThat(summary.get("by_all_others").get("predictions").asInt()).isEqualTo(3);
        assertThat(summary.get("by_one_group").get("worst_error").asDouble())
                .isGreaterThanOrEqualTo(
                        summary.get("by_one_group").get("median_error").asDouble());
    }
}
