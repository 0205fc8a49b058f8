package io.plora.examples.gpu;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.plora.examples.CommandLines;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Packs all that plora's tests and benchmarks need on a GPU host without Java and without network into one .tar.xz: a Java runtime,
 * ND4J's CUDA backend ported to that GPU, stand-ins for CUDA 11's libraries, plora with its tests, and the small model. Called
 * by Maven's profile {@code gpu-bundle}.
 */
@Command(
        name = "GpuBundle",
        mixinStandardHelpOptions = true,
        description = "Packs plora for a GPU host without Java and network.",
        sortOptions = false)
public final class GpuBundle implements Callable<Integer> {
    private static final String NAME = "plora";
    private static final Pattern PORTED = Pattern.compile("nd4j-cuda-[\\d.]+-1.*-linux-x86_64\\.jar");
    private static final Pattern NATIVE_CUDA = Pattern.compile("(nd4j-)?cuda-.*-linux-x86_64\\.jar");
    private static final List<String> FOLDERS =
            List.of("target/classes", "target/test-classes", "models", "data", "benchmarks");
    private static final List<String> RUNTIME_MODULES = List.of(
            "java.base",
            "java.desktop", // jinjava's beans
            "java.logging",
            "java.management",
            "java.naming",
            "java.sql",
            "java.xml",
            "jdk.management",
            "jdk.unsupported");

    @Option(names = "--class-path", required = true, description = "jars, as the JVM takes them")
    private String classPath = "";

    @Option(names = "--module", required = true, description = "folder of a Maven module, built; may be repeated")
    private List<Path> modules = List.of();

    @Option(names = "--exclude", description = "regular expression that names of jars to leave out contain")
    private Pattern excluded = Pattern.compile("(?!)");

    @Option(names = "--output", required = true, description = "archive to write")
    private Path output = Path.of("");

    @Mixin
    private PortOptions options = new PortOptions();

    public static void main(String[] arguments) {
        CommandLines.main(new GpuBundle(), arguments);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path parent = Files.createDirectories(output.toAbsolutePath().getParent());
        Path stage = Files.createTempDirectory(parent, ".bundle");
        try {
            Path folder = Files.createDirectory(stage.resolve(NAME));
            List<Path> jars = stageJars(stage, Files.createDirectory(folder.resolve("lib")));
            stageForwarders(jars, folder.resolve("forwarders"));
            link(folder.resolve("runtime"));
            for (Path module : modules) {
                stageModule(module.toAbsolutePath().normalize(), folder);
            }
            stageScript(folder.resolve("run.sh"));
            BundleArchive.write(folder, output);
            System.out.printf("%s: %d bytes%n", output, Files.size(output));
            return 0;
        } finally {
            MoreFiles.deleteRecursively(stage, RecursiveDeleteOption.ALLOW_INSECURE);
        }
    }

    private List<Path> stageJars(Path stage, Path folder) throws IOException, InterruptedException {
        List<Path> staged = new ArrayList<>();
        for (String path : classPath.split(File.pathSeparator)) {
            Path jar = Path.of(path).toAbsolutePath().normalize();
            String name = jar.getFileName().toString();
            boolean ours = modules.stream()
                    .anyMatch(module -> jar.startsWith(module.toAbsolutePath().normalize()));
            if (ours || !name.endsWith(".jar") || excluded.matcher(name).find()) {
                continue;
            }
            Path source = jar;
            if (PORTED.matcher(name).matches()) {
                source = stage.resolve(name);
                options.port().port(jar, source, null);
            }
            Path target = folder.resolve(name);
            JarTrimmer.trim(source, target);
            staged.add(target);
        }
        return staged;
    }

    private static void stageForwarders(List<Path> jars, Path folder) throws IOException, InterruptedException {
        List<Path> cuda = jars.stream()
                .filter(jar -> NATIVE_CUDA.matcher(jar.getFileName().toString()).matches())
                .toList();
        CudaForwarders.build(CudaForwarders.neededBy(cuda), folder);
    }

    private static void link(Path runtime) {
        ToolProvider jlink = ToolProvider.findFirst("jlink")
                .orElseThrow(() -> new IllegalStateException(
                        "This Java has no jlink, which makes the runtime. Maybe use a JDK with its modules (jmods)."));
        int status = jlink.run(
                System.out,
                System.err,
                "--add-modules",
                String.join(",", RUNTIME_MODULES),
                "--strip-debug",
                "--no-man-pages",
                "--no-header-files",
                "--vm=server",
                "--exclude-files=/java.desktop/lib/libawt_xawt.so,/java.desktop/lib/libjsound.so,/java.desktop/lib/libsplashscreen.so",
                "--output",
                runtime.toString());
        if (status != 0) {
            throw new IllegalStateException(
                    "The runtime cannot be linked: jlink ended with status (%d).".formatted(status));
        }
    }

    private static void stageModule(Path module, Path folder) throws IOException {
        for (String part : FOLDERS) {
            Path source = module.resolve(part);
            if (Files.isDirectory(source)) {
                copy(source, folder.resolve(module.getFileName().toString()).resolve(part));
            }
        }
    }

    private static void copy(Path source, Path target) throws IOException {
        Files.createDirectories(target.getParent());
        try (Stream<Path> all = Files.walk(source)) {
            for (Path path : (Iterable<Path>) all::iterator) {
                Files.copy(path, target.resolve(source.relativize(path).toString()));
            }
        }
    }

    static void stageScript(Path script) throws IOException {
        try (InputStream text = GpuBundle.class.getResourceAsStream("run.sh")) {
            if (text == null) {
                throw new IllegalStateException("The class path lacks plora-examples' resource (run.sh).");
            }
            Files.copy(text, script);
        }
        if (!script.toFile().setExecutable(true, false)) {
            throw new IOException("The script (%s) cannot be made executable.".formatted(script));
        }
    }
}
