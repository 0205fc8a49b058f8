package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.report.TrialFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CustomListenerTest {
    @TempDir
    private Path folder = Path.of("");

    private List<String> losses(String... more) throws IOException {
        Path losses = folder.resolve("losses.csv");
        String[] arguments = {
            "--output", folder.resolve("sweep").toString(), "--losses", losses.toString(), "--samples", "2"
        };
        String[] all = Stream.of(arguments, more).flatMap(Arrays::stream).toArray(String[]::new);
        assertThat(CommandLines.run(new CustomListener(), all)).isZero();
        return Files.readAllLines(losses);
    }

    @Test
    void everyLossIsRecorded() throws IOException {
        List<String> lines = losses();
        assertThat(lines).hasSize(1 + 4 * 2 * 3).startsWith("group,iteration,trial,loss");
        assertThat(lines.get(1)).matches("0,0,r4-a32-lr0\\.0002-b1-[0-9a-f]{8},[0-9.]+");
        assertThat(TrialFiles.read(folder.resolve("sweep"))).hasSize(4);
    }

    @Test
    void aLossThatIsGoodEnoughEndsTheSweep() throws IOException {
        assertThat(losses("--stop-below", "1000")).hasSizeLessThan(1 + 4 * 2 * 3);
        assertThat(TrialFiles.read(folder.resolve("sweep"))).isEmpty();
    }
}
