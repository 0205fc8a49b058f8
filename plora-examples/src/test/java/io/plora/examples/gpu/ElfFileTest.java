package io.plora.examples.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class ElfFileTest {

    @Test
    void symbolsThatAFileDefinesAreRead() {
        ElfFile file = ElfFile.of(ByteBuffer.wrap(FakeLibrary.image("first", "second_kernel")));

        assertThat(file.definedSymbols()).containsExactlyInAnyOrder("first", "second_kernel");
        assertThat(file.neededSymbols()).isEmpty();
        assertThat(file.section(".symtab")).isPresent();
        assertThat(file.section(".text")).isEmpty();
    }

    @Test
    @EnabledOnOs(value = OS.LINUX, architectures = "amd64")
    void symbolsThatALibraryNeedsOfOthersAreRead() throws IOException {
        byte[] library;
        try (InputStream in =
                ElfFileTest.class.getResourceAsStream("/org/bytedeco/javacpp/linux-x86_64/libjnijavacpp.so")) {
            library = in.readAllBytes();
        }

        assertThat(ElfFile.of(ByteBuffer.wrap(library)).neededSymbols())
                .containsKeys("libc.so.6", "libstdc++.so.6")
                .hasEntrySatisfying("libc.so.6", symbols -> assertThat(symbols).contains("memset", "free"));
    }

    @Test
    void whatIsNoElfFileOrCutOffIsRefused() {
        byte[] image = FakeLibrary.image("kernel");

        assertThatThrownBy(() -> ElfFile.of(ByteBuffer.wrap(new byte[200])))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no 64-bit little-endian ELF file");
        assertThatThrownBy(() -> ElfFile.of(ByteBuffer.wrap(Arrays.copyOf(image, image.length - 70))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cut off or damaged");
    }
}
