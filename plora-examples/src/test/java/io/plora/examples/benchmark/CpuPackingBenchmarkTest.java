package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.examples.CommandLines;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CpuPackingBenchmarkTest {
    @TempDir
    private Path folder = Path.of("");

    private int run(String cases) {
        return CommandLines.run(
                new CpuPackingBenchmark(),
                "--cases",
                cases,
                "--samples",
                "1",
                "--repetitions",
                "1",
                "--results",
                results().toString());
    }

    private Path results() {
        return folder.resolve("results/cpu-packing.jsonl");
    }

    @Test
    void addsARowForACase() throws IOException {
        assertThat(run("sentences")).isZero();
        assertThat(results()).content().endsWith("}\n").containsOnlyOnce("\n");
        JsonNode row = new ObjectMapper().readTree(results().toFile());
        assertThat(row.get("bench").asText()).isEqualTo("cpu-packing");
        assertThat(row.get("configs").asInt()).isEqualTo(16);
        assertThat(row.get("packed_iterations").asInt()).isEqualTo(1);
        assertThat(row.get("one_by_one_iterations").asInt()).isEqualTo(16);
        assertThat(row.get("command").asText()).contains("CpuPackingBenchmark", "--samples 1");
        assertThat(row.get("cpu").asText()).isNotEmpty();
        assertThat(row.get("jdk").asText()).isEqualTo(System.getProperty("java.version"));
        for (String name : List.of(
                "packed_s", "one_by_one_s", "ratio", "gflops_packed", "gflops_one_by_one", "gflops_peak", "tokens")) {
            assertThat(row.get(name).asDouble()).as(name).isPositive();
        }
    }

    @Test
    void anUnknownCaseIsRefused() {
        assertThat(run("large")).isEqualTo(1);
        assertThat(results()).doesNotExist();
    }
}
