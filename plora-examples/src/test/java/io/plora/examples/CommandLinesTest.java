package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Command;

class CommandLinesTest {
    @Test
    void anErrorIsOneMessage(@TempDir Path empty) {
        StringWriter errors = new StringWriter();
        CommandLine command = CommandLines.of(new AdapterTools()).setErr(new PrintWriter(errors));
        assertThat(command.execute("--sweep", empty.toString())).isEqualTo(1);
        assertThat(errors.toString())
                .isEqualToNormalizingNewlines(
                        "Folder (%s) holds no trials. Maybe run TinySweep first.\n".formatted(empty.toAbsolutePath()));
    }

    @Test
    void aMissingFileIsNamedWithWhatToDo(@TempDir Path folder) {
        StringWriter errors = new StringWriter();
        Path missing = folder.resolve("missing.jar");
        CommandLine command = CommandLines.of(new Reader(missing)).setErr(new PrintWriter(errors));
        assertThat(command.execute()).isEqualTo(1);
        assertThat(errors.toString())
                .isEqualToNormalizingNewlines("There is no file (%s). Maybe check the path.\n".formatted(missing));
    }

    /** An example that reads a file. */
    @Command
    private record Reader(Path file) implements Callable<Integer> {
        @Override
        public Integer call() throws IOException {
            return Files.readAllBytes(file).length;
        }
    }
}
