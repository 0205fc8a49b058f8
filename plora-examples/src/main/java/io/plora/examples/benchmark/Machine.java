package io.plora.examples.benchmark;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine.Model.CommandSpec;

/** What a benchmark's row says about where and when it was measured. */
final class Machine {
    private Machine() {}

    static void describe(ObjectNode row) throws IOException {
        row.put("cpu", cpu());
        row.put("cores", Runtime.getRuntime().availableProcessors());
        row.put("jdk", System.getProperty("java.version"));
        row.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
        row.put("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    }

    /** The command that runs an example as it was run. */
    static String command(CommandSpec spec) {
        List<String> arguments = spec.commandLine().getParseResult().originalArgs();
        return "mvn -q compile exec:java -Dexec.mainClass=%s%s"
                .formatted(
                        spec.userObject().getClass().getName(),
                        arguments.isEmpty() ? "" : " -Dexec.args='%s'".formatted(String.join(" ", arguments)));
    }

    /** The processor's name where the system tells it, else its architecture. */
    private static String cpu() throws IOException {
        Path info = Path.of("/proc/cpuinfo");
        if (Files.isReadable(info)) {
            try (Stream<String> lines = Files.lines(info)) {
                return lines.filter(line -> line.startsWith("model name"))
                        .findFirst()
                        .map(line -> line.substring(line.indexOf(':') + 1).strip())
                        .orElse(System.getProperty("os.arch"));
            }
        }
        return System.getProperty("os.arch");
    }
}
