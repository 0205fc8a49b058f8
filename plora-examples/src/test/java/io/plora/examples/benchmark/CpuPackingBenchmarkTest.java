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

class CpuPackingBenchmarkTest {
    @Test
    void writesARowForEachCase(@TempDir Path folder) throws IOException {
        Path results = folder.resolve("results/cpu-packing.jsonl");
        String[] arguments = {
            "--samples", "1", "--wide-samples", "0", "--repetitions", "1", "--results", results.toString()
        };
        assertThat(CommandLines.run(new CpuPackingBenchmark(), arguments)).isZero();
        List<String> lines = Files.readAllLines(results);
        assertThat(lines).hasSize(3);
        for (String line : lines) {
            JsonNode row = new ObjectMapper().readTree(line);
            assertThat(row.get("bench").asText()).isEqualTo("cpu-packing");
            assertThat(row.get("configs").asInt()).isEqualTo(16);
            assertThat(row.get("packed_iterations").asInt()).isLessThan(16);
            assertThat(row.get("one_by_one_iterations").asInt()).isEqualTo(16);
            assertThat(row.get("command").asText()).contains("CpuPackingBenchmark", "--samples 1");
            for (String name : List.of(
                    "packed_s",
                    "one_by_one_s",
                    "ratio",
                    "gflops_packed",
                    "gflops_one_by_one",
                    "gflops_peak",
                    "tokens")) {
                assertThat(row.get(name).asDouble()).as(name).isPositive();
            }
            assertThat(row.get("cpu").asText()).isNotEmpty();
            assertThat(row.get("jdk").asText()).isEqualTo(System.getProperty("java.version"));
        }
    }
}
