package io.plora.examples.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** With libraries of our own in place of CUDA's, and the C compiler. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class CudaForwardersTest {
    private static final String TARGET = """
            double weigh(int a, double b, long c, float d, const char *e, double f, int g, int h, double i, int j) {
              return a + 2 * b + 3 * c + 4 * d + 5 * e[0] + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j;
            }
            int count(void) { static int calls; return ++calls; }
            """;
    private static final String CALLER = """
            #include <stdio.h>
            double weigh(int a, double b, long c, float d, const char *e, double f, int g, int h, double i, int j);
            int count(void);
            int gone(void);
            int main(int arguments, char **values) {
              printf("%g %g ", weigh(1, 2, 3, 4, "A", 6, 7, 8, 9, 10), weigh(0, 0.5, 0, 0, "", 0, 0, 0, 0, 1));
              printf("%d ", count());
              printf("%d\\n", count());
              fflush(stdout);
              return arguments > 1 ? gone() : 0;
            }
            """;

    @TempDir
    Path folder;

    private Path forwarder;
    private Path caller;

    @BeforeEach
    void compile() throws Exception {
        Path compiler = Executables.find("gcc").orElse(null);
        assumeThat(compiler).as("a C compiler (gcc)").isNotNull();
        forwarder = folder.resolve("libold.so.1");
        CudaForwarders.build(compiler, new TreeSet<>(List.of("weigh", "count", "gone")), "libnew.so.2", forwarder);
        compile(compiler, TARGET, "libnew.so.2", "-shared", "-fPIC");
        caller = compile(compiler, CALLER, "caller", forwarder.toString());
    }

    @Test
    void callsReachTheOtherLibraryWithAllTheirArguments() throws Exception {
        Executables.Result result = call();

        assertThat(result.output()).isEqualTo("685 11 1 2");
        assertThat(result.status()).isZero();
    }

    @Test
    void functionsAreExportedWithTheLibrarysNameAsTheirVersion() throws IOException {
        assertThat(ElfFile.of(ByteBuffer.wrap(Files.readAllBytes(caller))).neededSymbols())
                .hasEntrySatisfying(
                        "libold.so.1", symbols -> assertThat(symbols).containsExactly("count", "gone", "weigh"));
    }

    @Test
    void aFunctionThatTheOtherLibraryLacksEndsTheProgramWithItsName() throws Exception {
        Executables.Result result = call("gone");

        assertThat(result.output()).contains("libold.so.1 forwards to libnew.so.2, which has no function gone");
        assertThat(result.failed()).isTrue();
    }

    @Test
    void aMissingLibraryEndsTheProgramWithItsName() throws Exception {
        Files.delete(folder.resolve("libnew.so.2"));

        Executables.Result result = call();

        assertThat(result.output()).contains("libold.so.1 forwards to libnew.so.2, which cannot be loaded");
        assertThat(result.failed()).isTrue();
    }

    private Executables.Result call(String... arguments) throws InterruptedException {
        List<String> command = new ArrayList<>(List.of("/usr/bin/env", "LD_LIBRARY_PATH=" + folder, caller.toString()));
        command.addAll(List.of(arguments));
        return Executables.run(command);
    }

    private Path compile(Path compiler, String text, String name, String... options) throws Exception {
        Path source = Files.writeString(folder.resolve(name + ".c"), text);
        List<String> command = new ArrayList<>(List.of(
                compiler.toString(),
                "-O1",
                source.toString(),
                "-o",
                folder.resolve(name).toString()));
        command.addAll(List.of(options));
        assertThat(Executables.run(command).output()).isEmpty();
        return folder.resolve(name);
    }
}
