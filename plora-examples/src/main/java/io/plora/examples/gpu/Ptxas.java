package io.plora.examples.gpu;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The CUDA toolkit's assembler: PTX in, a GPU's machine code out. Where it fails or crashes on a text, the text is compiled with
 * less optimization, down to none.
 */
final class Ptxas {
    private static final Logger LOG = LoggerFactory.getLogger(Ptxas.class);
    private static final Pattern VERSION = Pattern.compile("V\\d+(\\.\\d+)+");
    private static final int HIGHEST_LEVEL = 3;

    private final Path executable;
    private final String version;

    private Ptxas(Path executable, String version) {
        this.executable = executable;
        this.version = version;
    }

    /** The one in CUDA_HOME, on the PATH or in /usr/local/cuda. */
    static Ptxas find() throws InterruptedException {
        return of(Executables.find("ptxas")
                .orElseThrow(() ->
                        new IllegalStateException("The CUDA toolkit's assembler (ptxas) was not found in CUDA_HOME,"
                                + " on the PATH or in /usr/local/cuda/bin. Maybe install the CUDA toolkit, or give images that were"
                                + " compiled before.")));
    }

    static Ptxas of(Path executable) throws InterruptedException {
        Executables.Result result = Executables.run(List.of(executable.toString(), "--version"));
        Matcher version = VERSION.matcher(result.output());
        if (result.failed() || !version.find()) {
            throw new IllegalStateException("The program (%s) does not tell its version as ptxas does, but: %s"
                    .formatted(executable, result.output()));
        }
        return new Ptxas(executable, version.group());
    }

    String version() {
        return version;
    }

    /**
     * Compiles one text.
     *
     * @param architecture compute capability, such as 90
     * @return an ELF file
     * @throws IllegalStateException with the assembler's words if it fails at every level of optimization
     */
    byte[] compile(String text, int architecture) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("ptxas");
        try {
            Path source = Files.writeString(folder.resolve("text.ptx"), text);
            Path image = folder.resolve("image.cubin");
            String words = "";
            for (int level = HIGHEST_LEVEL; level >= 0; level--) {
                Executables.Result result = Executables.run(List.of(
                        executable.toString(),
                        "-arch=sm_" + architecture,
                        "-O" + level,
                        source.toString(),
                        "-o",
                        image.toString()));
                if (!result.failed() && Files.exists(image)) {
                    return Files.readAllBytes(image);
                }
                words = "exit status %d. %s".formatted(result.status(), result.output());
                LOG.warn("{} failed at -O{} on a text of {} characters: {}", executable, level, text.length(), words);
                Files.deleteIfExists(image);
            }
            throw new IllegalStateException(
                    "The assembler (%s, %s) cannot compile a text of (%d) characters for sm_%d: %s"
                            .formatted(executable, version, text.length(), architecture, words));
        } finally {
            MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
        }
    }
}
