package io.plora.examples.gpu;

import io.plora.examples.CommandLines;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Ports ND4J's CUDA library to the GPU present: nd4j-cuda-11.2 1.0.0-M1.1 has PTX, from which the CUDA toolkit's assembler makes
 * machine code for newer GPUs. All of it takes long; what is compiled is kept, so a run that was interrupted goes on where it was.
 */
@Command(
        name = "PortNd4j",
        mixinStandardHelpOptions = true,
        description = "Ports ND4J's CUDA library to a GPU that its release does not know.",
        sortOptions = false)
public final class PortNd4j implements Callable<Integer> {
    @Parameters(
            index = "0",
            paramLabel = "NATIVE_JAR",
            description = "of the Maven repository, such as nd4j-cuda-11.2-1.0.0-M1.1-linux-x86_64.jar")
    private Path nativeJar = Path.of("");

    @Parameters(
            index = "1",
            paramLabel = "PORTED_JAR",
            description = "to write; takes the original's place on the class path")
    private Path portedJar = Path.of("");

    @Mixin
    private PortOptions options = new PortOptions();

    @Option(
            names = "--save-images",
            paramLabel = "TAR_XZ",
            description = "write the machine code as an archive for --images too")
    private @Nullable Path savedImages;

    public static void main(String[] arguments) {
        CommandLines.main(new PortNd4j(), arguments);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        LibraryPort port = options.port();
        int containers = port.port(nativeJar, portedJar, savedImages);
        System.out.printf(
                "%s: device code of %d containers is for sm_%d%n", portedJar, containers, port.architecture());
        return 0;
    }
}
