package io.plora.examples.gpu;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** For which GPU ND4J's library is ported, and with what. */
final class PortOptions {
    @Option(
            names = "--architecture",
            paramLabel = "DIGITS",
            description = "compute capability such as 90 (default: that of the GPU present)")
    private @Nullable Integer architecture;

    @Option(
            names = "--images",
            paramLabel = "TAR_XZ",
            description = "machine code compiled before; what it lacks is compiled")
    private @Nullable Path images;

    @Option(
            names = "--cache",
            paramLabel = "FOLDER",
            description = "keeps what was compiled (default: ~/.cache/plora/ptx)")
    private @Nullable Path cache;

    @Option(
            names = "--ptxas",
            paramLabel = "PROGRAM",
            description = "assembler of the CUDA toolkit (default: that of CUDA_HOME, the PATH or /usr/local/cuda)")
    private @Nullable Path ptxas;

    @Option(names = "--jobs", description = "compilations at a time (default: the number of processors)")
    private int jobs = Runtime.getRuntime().availableProcessors();

    /** @throws IllegalStateException if no compute capability was given and there is no GPU to ask */
    LibraryPort port() throws InterruptedException {
        int wanted = architecture != null
                ? architecture
                : ComputeCapability.ofPresentGpu()
                        .orElseThrow(() ->
                                new IllegalStateException("The driver (nvidia-smi) shows no GPU here. Maybe name its"
                                        + " compute capability: --architecture 90 for an H100 or H200."));
        return new LibraryPort(wanted, images, ptxas, cache == null ? ImageCache.defaultFolder() : cache, jobs);
    }
}
