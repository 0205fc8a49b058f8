package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.Metric;
import io.plora.report.TrialFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChoiceTaskTest {
    private static final Path BUNDLED = ExampleFiles.find("data/acceptability");

    @TempDir
    private Path folder = Path.of("");

    private Path firstLines(String name, int count) throws IOException {
        List<String> lines = Files.readAllLines(BUNDLED.resolve(name));
        return Files.write(folder.resolve(name), lines.subList(0, count));
    }

    @Test
    void trialsAreMeasuredOnGivenFiles() throws IOException {
        int status = CommandLines.run(
                new ChoiceTask(),
                "--train",
                firstLines("train.tsv", 16).toString(),
                "--dev",
                firstLines("dev.tsv", 8).toString(),
                "--epochs",
                "1",
                "--output",
                folder.resolve("sweep").toString());
        assertThat(status).isZero();
        assertThat(TrialFiles.read(folder.resolve("sweep")))
                .hasSize(8)
                .allSatisfy(trial -> assertThat(trial.value(Metric.MATTHEWS)).isBetween(-1.0, 1.0))
                .allSatisfy(trial -> assertThat(trial.value(Metric.ACCURACY)).isBetween(0.0, 1.0));
    }

    @Test
    void bundledSentencesAreBalancedAndNoneIsInBothFiles() throws IOException {
        List<String> train = Files.readAllLines(BUNDLED.resolve("train.tsv"));
        List<String> dev = Files.readAllLines(BUNDLED.resolve("dev.tsv"));
        assertThat(train).hasSize(200).doesNotContainAnyElementsOf(dev);
        assertThat(dev).hasSize(80);
        assertThat(train.stream().filter(line -> line.contains("\t1\t\t"))).hasSize(100);
        assertThat(dev.stream().filter(line -> line.contains("\t0\t*\t"))).hasSize(40);
    }
}
