package io.plora.examples.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.XZInputStream;

@DisabledOnOs(OS.WINDOWS)
class BundleTest {
    @TempDir
    Path folder;

    @Test
    void theArchiveIsOneTarFileOfAllFilesWithTheirModes() throws Exception {
        Path content = folder.resolve("content");
        Map<String, String> files = new TreeMap<>();
        for (String name : List.of(
                "lib/nd4j-cuda-11.2-1.0.0-M1.1-linux-x86_64.jar",
                "lib/other.jar",
                "forwarders/libcublas.so.11",
                "runtime/bin/java",
                "a/" + "long".repeat(40) + ".txt",
                "run.sh")) {
            files.put("content/" + name, "content of " + name + " ".repeat(name.length() * 100));
            Files.createDirectories(content.resolve(name).getParent());
            Files.writeString(content.resolve(name), files.get("content/" + name));
        }
        assertThat(content.resolve("run.sh").toFile().setExecutable(true)).isTrue();

        BundleArchive.write(content, folder.resolve("archive.tar.xz"));

        Map<String, String> read = new TreeMap<>();
        List<String> executable = new ArrayList<>();
        try (InputStream in = Files.newInputStream(folder.resolve("archive.tar.xz"));
                TarArchiveInputStream tar = new TarArchiveInputStream(new XZInputStream(in))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                read.put(entry.getName(), new String(tar.readAllBytes()));
                if ((entry.getMode() & 0111) != 0) {
                    executable.add(entry.getName());
                }
            }
        }
        assertThat(read).isEqualTo(files);
        assertThat(executable).containsExactly("content/run.sh");
        try (var left = Files.list(folder)) {
            assertThat(left).hasSize(2);
        }
    }

    @Test
    void jarsLoseWhatAGpuHostDoesNotNeed() throws IOException {
        Path jar = folder.resolve("a.jar");
        List<String> kept = List.of(
                "native/lib/linux-x86_64/cpu/libtokenizers.so",
                "native/lib/tokenizers.properties",
                "org/bytedeco/cuda/linux-x86_64/libjnicublas.so",
                "org/bytedeco/openblas/linux-x86_64/libjniopenblas_nolapack.so",
                "META-INF/services/a.Service");
        List<String> dropped = List.of(
                "native/lib/osx-aarch64/cpu/libtokenizers.dylib",
                "org/bytedeco/cuda/linux-x86_64/libjninppif.so",
                "org/bytedeco/openblas/linux-x86_64/libjniopenblas.so",
                "META-INF/native-image/x.json",
                "META-INF/KEY.RSA");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
            for (String name : kept) {
                put(zip, name, name.getBytes());
            }
            for (String name : dropped) {
                put(zip, name, new byte[3]);
            }
        }

        JarTrimmer.trim(jar, folder.resolve("trimmed.jar"));

        try (ZipFile zip = new ZipFile(folder.resolve("trimmed.jar").toFile())) {
            assertThat(zip.stream().map(ZipEntry::getName)).containsExactlyElementsOf(kept);
            assertThat(zip.stream().map(ZipEntry::getMethod)).containsOnly(ZipEntry.STORED);
            assertThat(zip.getInputStream(zip.getEntry(kept.get(0))).readAllBytes())
                    .isEqualTo(kept.get(0).getBytes());
        }
    }

    @Test
    void classesLoseTheirLineNumbersAndStillRun() throws Exception {
        Path jar = folder.resolve("a.jar");
        String name = Counted.class.getName().replace('.', '/') + ".class";
        byte[] original;
        try (InputStream in = Counted.class.getClassLoader().getResourceAsStream(name)) {
            original = in.readAllBytes();
        }
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
            put(zip, name, original);
        }

        JarTrimmer.trim(jar, folder.resolve("trimmed.jar"));

        try (ZipFile zip = new ZipFile(folder.resolve("trimmed.jar").toFile())) {
            byte[] trimmed = zip.getInputStream(zip.getEntry(name)).readAllBytes();
            assertThat(trimmed.length).isLessThan(original.length);
            assertThat(new String(trimmed)).doesNotContain("LineNumberTable");
            Class<?> loaded = new ClassLoader(null) {
                Class<?> define() {
                    return defineClass(Counted.class.getName(), trimmed, 0, trimmed.length);
                }
            }.define();
            assertThat(loaded.getMethod("count", int.class).invoke(null, 4)).isEqualTo(10);
        }
    }

    @Test
    void theScriptGivesJavaTheClassPathAndTheLibrariesOfCuda() throws Exception {
        Path host = bundle();
        Path cuda = Files.createDirectories(folder.resolve("cuda/lib64"));
        Files.createFile(cuda.resolve("libcublas.so.13"));

        Executables.Result result = Executables.run(List.of(
                "/usr/bin/env",
                "CUDA_HOME=" + cuda.getParent(),
                "JAVA_OPTIONS=-Xmx1g -Da=b",
                host.resolve("run.sh").toString(),
                "a.Main",
                "two words"));

        assertThat(result.output().lines().toList())
                .contains("-Xmx1g", "-Da=b", "a.Main", "two words")
                .anySatisfy(line ->
                        assertThat(line).startsWith("LD_LIBRARY_PATH=" + host.resolve("forwarders") + ":" + cuda))
                .anySatisfy(line -> assertThat(line)
                        .contains(host + "/plora-kernels/target/test-classes:")
                        .endsWith(host + "/lib/*"));
        assertThat(result.status()).isZero();
    }

    @Test
    void theScriptRunsTests() throws Exception {
        Executables.Result result =
                Executables.run(List.of(bundle().resolve("run.sh").toString(), "tests", "--include-tag", "gpu"));

        assertThat(result.output().lines().toList())
                .containsSubsequence("org.junit.platform.console.ConsoleLauncher", "execute", "--include-tag", "gpu");
    }

    @Test
    void withoutArgumentsTheScriptTellsHowItIsUsed() throws Exception {
        Executables.Result result =
                Executables.run(List.of(bundle().resolve("run.sh").toString()));

        assertThat(result.status()).isEqualTo(2);
        assertThat(result.output()).contains("run.sh tests OPTION", "run.sh MAIN_CLASS ARGUMENT");
    }

    /** A bundle whose Java prints its arguments, each on a line, and the libraries' path. */
    private Path bundle() throws IOException {
        Path host = Files.createDirectories(folder.resolve("host"));
        Path java = Files.createDirectories(host.resolve("runtime/bin")).resolve("java");
        Files.writeString(java, "#!/bin/sh\necho \"LD_LIBRARY_PATH=$LD_LIBRARY_PATH\"\nprintf '%s\\n' \"$@\"\n");
        assertThat(java.toFile().setExecutable(true)).isTrue();
        Files.createDirectories(host.resolve("plora-kernels/target/classes"));
        Files.createDirectories(host.resolve("plora-kernels/target/test-classes"));
        GpuBundle.stageScript(host.resolve("run.sh"));
        return host;
    }

    private static void put(ZipOutputStream zip, String name, byte[] content) throws IOException {
        zip.putNextEntry(new ZipEntry(name));
        zip.write(content);
        zip.closeEntry();
    }

    /** Has lines to lose. */
    public static final class Counted {
        private Counted() {}

        public static int count(int limit) {
            int sum = 0;
            for (int i = 1; i <= limit; i++) {
                sum += i;
            }
            return sum;
        }
    }
}
