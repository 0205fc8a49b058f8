package io.plora.examples.gpu;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Programs of the system: where they are, and what they print. */
final class Executables {
    private Executables() {}

    /** How a program ended, and all that it printed. */
    record Result(int status, String output) {
        boolean failed() {
            return status != 0;
        }
    }

    /** The program of that name in CUDA_HOME, on the PATH or in the CUDA toolkit's usual folder, in this order. */
    static Optional<Path> find(String name) {
        String home = System.getenv("CUDA_HOME");
        Stream<String> toolkit = home == null ? Stream.empty() : Stream.of(home + "/bin");
        Stream<String> path = Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator));
        return Stream.of(toolkit, path, Stream.of("/usr/local/cuda/bin"))
                .flatMap(folders -> folders)
                .map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /**
     * Runs a program to its end.
     *
     * @throws UncheckedIOException if it cannot be started
     */
    static Result run(List<String> command) throws InterruptedException {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            try {
                process.getOutputStream().close();
                String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                return new Result(process.waitFor(), output.strip());
            } finally {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            throw new UncheckedIOException("The program (%s) cannot be run.".formatted(command.get(0)), e);
        }
    }
}
