package io.plora.examples.gpu;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.plora.examples.CommandLines;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/**
 * Stand-ins for the CUDA 11 libraries that ND4J and JavaCPP's bindings name, each forwarding to CUDA 13's: those of CUDA 11 have
 * no machine code for Hopper. The functions in use have the same C interface in both.
 */
@Command(
        name = "CudaForwarders",
        mixinStandardHelpOptions = true,
        description = "Makes stand-ins for CUDA 11's libraries that call CUDA 13's.",
        sortOptions = false)
public final class CudaForwarders implements Callable<Integer> {
    private static final Map<String, String> TARGETS = Map.of(
            "libcublas.so.11", "libcublas.so.13",
            "libcublasLt.so.11", "libcublasLt.so.13",
            "libcudart.so.11.0", "libcudart.so.13",
            "libcusolver.so.11", "libcusolver.so.12",
            "libcusolverMg.so.11", "libcusolverMg.so.12",
            "libcusparse.so.11", "libcusparse.so.12");

    @Parameters(index = "0", paramLabel = "FOLDER", description = "where to write them")
    private Path folder = Path.of("");

    @Parameters(
            index = "1..*",
            arity = "1..*",
            paramLabel = "JAR",
            description = "holds native libraries that need them: ND4J's CUDA backend, JavaCPP's bindings of CUDA")
    private List<Path> jars = List.of();

    public static void main(String[] arguments) {
        CommandLines.main(new CudaForwarders(), arguments);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Map<String, SortedSet<String>> needed = neededBy(jars);
        for (Path library : build(needed, folder)) {
            String name = library.getFileName().toString();
            System.out.printf(
                    "%s: %d functions of %s%n", library, needed.get(name).size(), TARGETS.get(name));
        }
        return 0;
    }

    /**
     * Compiles a stand-in for each library that is needed.
     *
     * @param needed by library, as {@link #neededBy} gives them
     * @param folder to write them to
     * @return their files
     * @throws IllegalStateException if there is no C compiler
     */
    static List<Path> build(Map<String, SortedSet<String>> needed, Path folder)
            throws IOException, InterruptedException {
        Path compiler = Executables.find("gcc")
                .orElseThrow(
                        () -> new IllegalStateException(
                                "Forwarders for CUDA 11's libraries need a C compiler (gcc), which is not on the PATH. Maybe install it."));
        Files.createDirectories(folder);
        List<Path> libraries = new ArrayList<>();
        for (Map.Entry<String, SortedSet<String>> library : needed.entrySet()) {
            Path file = folder.resolve(library.getKey());
            build(compiler, library.getValue(), TARGETS.get(library.getKey()), file);
            libraries.add(file);
        }
        return libraries;
    }

    /** The functions of those libraries that the native libraries in some jars need, by library. */
    static Map<String, SortedSet<String>> neededBy(Collection<Path> jars) throws IOException {
        Map<String, SortedSet<String>> needed = new TreeMap<>();
        Path library = Files.createTempFile("library", ".so");
        try {
            for (Path jar : jars) {
                try (ZipFile zip = new ZipFile(jar.toFile())) {
                    for (ZipEntry entry : Collections.list(zip.entries())) {
                        if (entry.getName().endsWith(".so")) {
                            extract(zip, entry, library);
                            collect(library, needed);
                        }
                    }
                }
            }
        } finally {
            Files.delete(library);
        }
        return needed;
    }

    private static void extract(ZipFile zip, ZipEntry entry, Path target) throws IOException {
        try (InputStream in = zip.getInputStream(entry)) {
            Files.copy(in, target, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static void collect(Path library, Map<String, SortedSet<String>> needed) throws IOException {
        try (FileChannel channel = FileChannel.open(library)) {
            ElfFile file = ElfFile.of(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()));
            file.neededSymbols().forEach((name, symbols) -> {
                if (TARGETS.containsKey(name)) {
                    needed.computeIfAbsent(name, key -> new TreeSet<>()).addAll(symbols);
                }
            });
        }
    }

    static void build(Path compiler, SortedSet<String> functions, String target, Path library)
            throws IOException, InterruptedException {
        String name = library.getFileName().toString();
        Path work = Files.createTempDirectory("forwarder");
        try {
            Path source = Files.writeString(work.resolve("forwarder.c"), ForwarderSource.of(functions, name, target));
            Path versions = Files.writeString(work.resolve("versions"), ForwarderSource.versions(functions, name));
            Executables.Result result = Executables.run(List.of(
                    compiler.toString(),
                    "-shared",
                    "-fPIC",
                    "-O1",
                    "-s",
                    source.toString(),
                    "-o",
                    library.toString(),
                    "-Wl,-soname," + name,
                    "-Wl,--version-script=" + versions,
                    "-ldl"));
            if (result.failed()) {
                throw new IllegalStateException(
                        "The C compiler (%s) cannot make (%s): %s".formatted(compiler, name, result.output()));
            }
        } finally {
            MoreFiles.deleteRecursively(work, RecursiveDeleteOption.ALLOW_INSECURE);
        }
    }
}
