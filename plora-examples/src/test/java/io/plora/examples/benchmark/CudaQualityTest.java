package io.plora.examples.benchmark;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.examples.CommandLines;
import io.plora.examples.ExampleFiles;
import io.plora.kernels.cuda.CudaKernels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

@Tag("gpu")
class CudaQualityTest {
    private static final Logger LOGGER = LoggerFactory.getLogger(CudaQualityTest.class);

    @TempDir
    private Path folder = Path.of("");

    /** Those were computed in float32 on a CPU. */
    @Test
    void lossesAndRankingsAreTheRecordedOnes() throws IOException {
        CudaKernels.unavailableReason().ifPresent(reason -> {
            LOGGER.warn("Skipped, as it needs a GPU: {}", reason);
            Assumptions.abort(reason);
        });
        Path results = folder.resolve("quality.jsonl");
        int status = CommandLines.run(
                new QualityBenchmark(),
                "--device",
                "CUDA",
                "--compare-with",
                ExampleFiles.find("benchmarks/results/quality-cpu.jsonl").toString(),
                "--results",
                results.toString());
        assertThat(status).isZero();
        assertThat(Files.readAllLines(results))
                .filteredOn(row -> row.contains(" difference\""))
                .hasSize(QualityCase.all().size() + 2);
    }
}
