package io.plora.examples.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.examples.CommandLines;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(OS.WINDOWS)
class PortNd4jTest {
    private static final String LIBRARY = "org/nd4j/nativeblas/linux-x86_64/libnd4jcuda.so";

    @TempDir
    Path folder;

    private FakePtxas ptxas;

    @BeforeEach
    void makeAssembler() throws IOException {
        ptxas = FakePtxas.in(folder, 1);
    }

    @Test
    void everyContainerGetsMachineCodeOfTheGpuAndTheRestStaysAsItIs() throws IOException {
        byte[] own = FakeLibrary.container(
                FakeLibrary.ptx(80, "not needed", true), FakeLibrary.entry(2, 90, "present".getBytes(), true));
        byte[] library = FakeLibrary.of(text(".entry a ", 400), own, text(".entry b fails above 2 ", 40));
        Path jar = jar(library);

        assertThat(port(jar, "ported.jar")).isZero();

        ByteBuffer ported = library(folder.resolve("ported.jar"));
        assertThat(ported.remaining()).isEqualTo(library.length);
        assertThat(contents(ported))
                .containsExactly(
                        "O3 " + ".entry a ".repeat(400), "present", "O2 " + ".entry b fails above 2 ".repeat(40));
        for (FatbinContainer container : FatbinContainer.find(ByteBuffer.wrap(library))) {
            Arrays.fill(library, container.offset(), container.offset() + container.size(), (byte) 0);
            Arrays.fill(ported.array(), container.offset(), container.offset() + container.size(), (byte) 0);
        }
        assertThat(ported.array()).isEqualTo(library);
        try (ZipFile zip = new ZipFile(folder.resolve("ported.jar").toFile())) {
            assertThat(zip.getInputStream(zip.getEntry("other.txt")).readAllBytes())
                    .isEqualTo("other".getBytes());
        }
    }

    @Test
    void anImageThatFitsOnlyCompressedIsCompressed() throws IOException {
        Path jar = jar(FakeLibrary.of(FakeLibrary.container(
                FakeLibrary.ptx(86, "x".repeat(5000), true), FakeLibrary.entry(2, 86, new byte[100], false))));

        assertThat(port(jar, "ported.jar")).isZero();

        ByteBuffer ported = library(folder.resolve("ported.jar"));
        FatbinEntry entry = FatbinContainer.find(ported).get(0).entries(ported).get(0);
        assertThat(entry.compression()).isEqualTo(FatbinEntry.Compression.LZ4);
        assertThat(new String(entry.content(), StandardCharsets.UTF_8)).isEqualTo("O3 " + "x".repeat(5000));
    }

    @Test
    void anInterruptedPortGoesOnWithWhatWasCompiled() throws IOException {
        Path jar = jar(FakeLibrary.of(text("good ", 300), text("crashes ", 90)));
        assertThat(port(jar, "ported.jar")).isOne();
        assertThat(folder.resolve("ported.jar")).doesNotExist();
        List<String> before = ptxas.calls();

        Path repaired = jar(FakeLibrary.of(text("good ", 300), text("better ", 90)));
        assertThat(port(repaired, "ported.jar")).isZero();

        assertThat(ptxas.calls()).hasSize(before.size() + 1);
    }

    @Test
    void savedImagesMakeTheSamePortWithoutAnAssembler() throws IOException {
        byte[] image = FakeLibrary.image("a", "b");
        Path first = jar(FakeLibrary.of(FakeLibrary.container(
                FakeLibrary.ptx(86, ".visible .entry a(\n.entry b(", false), FakeLibrary.entry(2, 90, image, false))));
        Path images = folder.resolve("images.tar.xz");
        assertThat(port(first, "first.jar", "--save-images", images.toString())).isZero();

        Path second = jar(FakeLibrary.of(text(".visible .entry a(\n.entry b(", 30)));
        assertThat(port(second, "second.jar", "--images", images.toString())).isZero();

        ByteBuffer ported = library(folder.resolve("second.jar"));
        FatbinEntry entry = FatbinContainer.find(ported).get(0).entries(ported).get(0);
        assertThat(Arrays.copyOf(entry.content(), image.length)).isEqualTo(image);
        assertThat(ptxas.calls()).isEmpty();
    }

    @Test
    void imagesOfAnotherLibraryAreRefused() throws IOException {
        byte[] image = FakeLibrary.image("a");
        Path first = jar(FakeLibrary.of(FakeLibrary.container(FakeLibrary.entry(2, 90, image, false))));
        Path images = folder.resolve("images.tar.xz");
        port(first, "first.jar", "--save-images", images.toString());

        assertRefused(
                FakeLibrary.of(text(".entry other(", 50)), images, 90, "lacks (1) of its kernels, such as (other)");
        assertRefused(FakeLibrary.of(text(".entry a(", 50)), images, 89, "not for sm_89, but for sm_90");
    }

    @Test
    void whatCannotBePortedIsNamed() throws IOException {
        byte[] withoutText = FakeLibrary.container(FakeLibrary.entry(2, 86, new byte[8], false));
        byte[] withoutRoom = FakeLibrary.container(FakeLibrary.ptx(86, "123456", false));

        assertRefused(
                FakeLibrary.of(withoutText), null, 90, "Container (0) has neither machine code for sm_90 nor PTX");
        assertRefused(FakeLibrary.of(withoutRoom), null, 90, "takes (96) bytes, where there is room for (88)");
    }

    @Test
    void filesThatAreThereAreNotOverwrittenAndNothingIsCompiledForThem() throws IOException {
        Path jar = jar(FakeLibrary.of(text("a ", 90)));
        Path present = Files.createFile(folder.resolve("present"));
        LibraryPort port = new LibraryPort(90, null, ptxas.program(), folder.resolve("cache"), 1);

        assertThatThrownBy(() -> port.port(jar, present, null)).hasMessageContaining("file (" + present + ") already");
        assertThatThrownBy(() -> port.port(jar, folder.resolve("ported.jar"), present))
                .hasMessageContaining("file (" + present + ") already");

        assertThat(present).isEmptyFile();
        assertThat(ptxas.calls()).isEmpty();
    }

    @Test
    void aJarWithoutTheLibraryIsRefused() throws IOException {
        Path jar = folder.resolve("empty.jar");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
            zip.putNextEntry(new ZipEntry("a.txt"));
        }

        assertThatThrownBy(() -> NativeJar.of(jar)).hasMessageContaining("holds no library (libnd4jcuda.so)");
    }

    /** PTX whose image fits beside it: the container also holds machine code of another GPU. */
    private static byte[] text(String line, int times) {
        return FakeLibrary.container(
                FakeLibrary.entry(2, 86, new byte[line.length() * times + 200], false),
                FakeLibrary.ptx(86, line.repeat(times), true));
    }

    private Path jar(byte[] library) throws IOException {
        Path jar = Files.createTempFile(folder, "nd4j", ".jar");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
            zip.putNextEntry(new ZipEntry(LIBRARY));
            zip.write(library);
            zip.putNextEntry(new ZipEntry("other.txt"));
            zip.write("other".getBytes());
        }
        return jar;
    }

    private int port(Path jar, String target, String... options) {
        String[] defaults = {
            jar.toString(),
            folder.resolve(target).toString(),
            "--ptxas=" + ptxas.program(),
            "--cache=" + folder.resolve("cache"),
            "--architecture=90",
            "--jobs=1"
        };
        return CommandLines.run(
                new PortNd4j(),
                Stream.concat(Stream.of(defaults), Stream.of(options)).toArray(String[]::new));
    }

    private void assertRefused(byte[] library, @Nullable Path images, int architecture, String message)
            throws IOException {
        LibraryPort port = new LibraryPort(architecture, images, ptxas.program(), folder.resolve("cache"), 1);
        Path jar = jar(library);
        Path target = folder.resolve("refused.jar");
        assertThatThrownBy(() -> port.port(jar, target, null)).hasMessageContaining(message);
        assertThat(target).doesNotExist();
    }

    private static ByteBuffer library(Path jar) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            return ByteBuffer.wrap(zip.getInputStream(zip.getEntry(LIBRARY)).readAllBytes());
        }
    }

    private static List<String> contents(ByteBuffer library) {
        return FatbinContainer.find(library).stream()
                .map(container -> container.entries(library))
                .peek(entries -> assertThat(entries).hasSize(1))
                .map(entries -> entries.get(0).text())
                .toList();
    }
}
