package io.plora.examples.gpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A shell script in place of the assembler: its image is the level and the text, and it notes each call. A text that says
 * {@code fails above N} fails at higher levels; one that says {@code crashes} kills the script at every level.
 */
final class FakePtxas {
    private static final String SCRIPT = """
            #!/bin/sh
            if [ "$1" = --version ]; then echo "Cuda compilation tools, release 99.1, V99.1.%d"; exit; fi
            level=${2#-O}
            echo "$1 $2" >> "%s"
            if grep -q crashes "$3"; then kill -9 $$; fi
            limit=$(sed -n 's/.*fails above \\([0-9]\\).*/\\1/p' "$3")
            if [ -n "$limit" ] && [ "$level" -gt "$limit" ]; then echo "too hard"; exit 255; fi
            { printf 'O%%s ' "$level"; cat "$3"; } > "$5"
            """;

    private final Path program;
    private final Path calls;

    private FakePtxas(Path program, Path calls) {
        this.program = program;
        this.calls = calls;
    }

    static FakePtxas in(Path folder, int version) throws IOException {
        Path calls = folder.resolve("calls-" + version);
        Path program = Files.writeString(folder.resolve("ptxas-" + version), SCRIPT.formatted(version, calls));
        if (!program.toFile().setExecutable(true)) {
            throw new IOException("The script (%s) cannot be made executable.".formatted(program));
        }
        return new FakePtxas(program, calls);
    }

    Path program() {
        return program;
    }

    /** Options of each compilation so far. */
    List<String> calls() throws IOException {
        return Files.exists(calls) ? Files.readAllLines(calls) : List.of();
    }
}
