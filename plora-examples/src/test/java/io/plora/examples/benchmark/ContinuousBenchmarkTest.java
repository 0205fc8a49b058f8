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

class ContinuousBenchmarkTest {
    @TempDir
    private Path folder;

    @Test
    void addsARowForEachNumberOfAdapters() throws IOException {
        Path results = folder.resolve("continuous.jsonl");
        int status = CommandLines.run(
                new ContinuousBenchmark(),
                "--device",
                "CPU",
                "--models",
                ExampleFiles.model().toString(),
                "--adapters",
                "2,3",
                "--tokens",
                "8",
                "--rank",
                "4",
                "--changes",
                "2",
                "--results",
                results.toString());

        assertThat(status).isZero();
        List<String> rows = Files.readAllLines(results);
        assertThat(rows).hasSize(2);
        JsonNode row = new ObjectMapper().readTree(rows.get(1));
        assertThat(row.get("adapters").asInt()).isEqualTo(3);
        assertThat(row.get("iteration_ms").asDouble()).isPositive();
        for (String name : List.of("change_ms", "worst_change_ms", "leave_ms", "join_ms", "export_ms")) {
            assertThat(row.get(name).isNumber()).as(name).isTrue();
        }
    }
}
