package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.execute.ComputeDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The option for a benchmark's file of rows: each is printed and added to it, with where, when and how it was measured. */
final class ResultRows {
    private static final Path FOLDER = Path.of("plora-examples/benchmarks/results");

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec = CommandSpec.create();

    @Option(names = "--results", description = "file that rows are added to (default: ${DEFAULT-VALUE})")
    private Path file;

    /** @param name of the file, unless the option is given */
    ResultRows(String name) {
        this.file = FOLDER.resolve(name);
    }

    /** Adds what was measured on a device. */
    void add(ObjectNode row, ComputeDevice on) throws IOException {
        add(row.put("device", on.name()));
    }

    void add(ObjectNode row) throws IOException {
        Machine.describe(row);
        row.put("command", Machine.command(spec));
        System.out.println(row);
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(file, row + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
}
