package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.examples.CommandLines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CalibrationBenchmarkTest {
    @TempDir
    private Path folder = Path.of("");

    @Test
    void statesPredictedAndMeasuredTimesPackedAndOneByOne() throws IOException {
        Path results = folder.resolve("results/calibration.jsonl");

        assertThat(CommandLines.run(new CalibrationBenchmark(), "--samples", "40", "--results", results.toString()))
                .isZero();

        List<String> rows = Files.readAllLines(results);
        assertThat(rows).hasSize(2);
        for (String line : rows) {
            JsonNode row = new ObjectMapper().readTree(line);
            assertThat(row.get("rows").asInt()).isGreaterThanOrEqualTo(10);
            for (String name : List.of("held_out_error", "predicted_s", "nominal_s", "measured_s")) {
                assertThat(row.get(name).asDouble()).as(name).isPositive();
            }
        }
    }
}
