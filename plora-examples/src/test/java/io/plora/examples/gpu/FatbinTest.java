package io.plora.examples.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.airlift.compress.zstd.ZstdCompressor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FatbinTest {

    @Test
    void containersAreFoundInTheLibrarysOrderWithTheirEntries() {
        byte[] first = FakeLibrary.container(
                FakeLibrary.entry(2, 80, "machine code".getBytes(), true),
                FakeLibrary.ptx(86, ".entry a".repeat(99), true));
        byte[] second = FakeLibrary.container(FakeLibrary.ptx(70, ".entry b", false));
        ByteBuffer library = ByteBuffer.wrap(FakeLibrary.of(first, second));

        List<FatbinContainer> containers = FatbinContainer.find(library);

        assertThat(containers).extracting(FatbinContainer::number).containsExactly(0, 1);
        assertThat(containers).extracting(FatbinContainer::size).containsExactly(first.length, second.length);
        List<FatbinEntry> entries = containers.get(0).entries(library);
        assertThat(entries).extracting(FatbinEntry::kind).containsExactly(FatbinEntry.Kind.ELF, FatbinEntry.Kind.PTX);
        assertThat(entries).extracting(FatbinEntry::architecture).containsExactly(80, 86);
        assertThat(entries.get(0).content()).isEqualTo("machine code".getBytes());
        assertThat(entries.get(1).text()).isEqualTo(".entry a".repeat(99));
        assertThat(containers.get(1).entries(library).get(0).text()).isEqualTo(".entry b");
    }

    @ParameterizedTest
    @EnumSource(names = {"NONE", "LZ4"})
    void machineCodeIsReadBackAsItWasWritten(FatbinEntry.Compression compression) {
        Random random = new Random(1);
        for (int length = 1; length < 3000; length = length * 2 + 1) {
            byte[] elf = new byte[length];
            random.nextBytes(elf);

            ByteBuffer container =
                    FatbinEntry.ofMachineCode(elf, 90, compression).toContainer();

            List<FatbinEntry> entries = FatbinContainer.entriesOf(container);
            assertThat(entries).hasSize(1);
            assertThat(entries.get(0).architecture()).isEqualTo(90);
            assertThat(entries.get(0).kind()).isEqualTo(FatbinEntry.Kind.ELF);
            assertThat(Arrays.copyOf(entries.get(0).content(), length)).isEqualTo(elf);
        }
    }

    @Test
    void theHeaderOfPlainMachineCodeIsThatOfFatbinary() {
        ByteBuffer container = FatbinEntry.ofMachineCode(new byte[3568], 90, FatbinEntry.Compression.NONE)
                .toContainer();

        // first 80 bytes of: fatbinary --create=f --64 --compress-mode=none --image3=kind=elf,sm=90,file=3568_bytes
        // (13.0)
        byte[] header = new byte[80];
        ByteBuffer.wrap(header)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(0x0010_0001_BA55_ED50L)
                .putLong(0xE30)
                .putLong(0x40_0101_0002L)
                .putLong(0xDF0)
                .putLong(0)
                .putLong(0x5A_0001_0008L)
                .putLong(0)
                .putLong(0x11);
        assertThat(Arrays.copyOf(container.array(), 80)).isEqualTo(header);
    }

    @Test
    void contentCompressedAsCuda13DoesIsRead() {
        byte[] elf = "code ".repeat(200).getBytes();
        byte[] compressed = new byte[2000];
        int length = new ZstdCompressor().compress(elf, 0, elf.length, compressed, 0, compressed.length);
        FatbinEntry entry = new FatbinEntry(
                FatbinEntry.Kind.ELF,
                90,
                FatbinEntry.Compression.ZSTD,
                ByteBuffer.wrap(compressed, 0, length).slice(),
                elf.length);

        assertThat(FatbinContainer.entriesOf(entry.toContainer()).get(0).content())
                .isEqualTo(elf);
    }

    @Test
    void aLibraryWithoutDeviceCodeIsRefused() {
        assertThatThrownBy(() -> FatbinContainer.find(ByteBuffer.wrap(FakeLibrary.image("kernel"))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no section (.nv_fatbin)");
    }

    @Test
    void damagedContainersAndEntriesAreRefused() {
        byte[] container = FakeLibrary.container(FakeLibrary.ptx(86, "text", false));
        byte[] tooLong = container.clone();
        ByteBuffer.wrap(tooLong).order(ByteOrder.LITTLE_ENDIAN).putLong(8, 1 << 20);
        byte[] unknownKind = container.clone();
        unknownKind[16] = 9;

        assertThatThrownBy(() -> FatbinContainer.find(ByteBuffer.wrap(FakeLibrary.of(tooLong))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("claims (1048592) bytes");
        assertThatThrownBy(() -> FatbinContainer.entriesOf(ByteBuffer.wrap(tooLong)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cut off");
        assertThatThrownBy(() -> FatbinContainer.entriesOf(ByteBuffer.wrap(unknownKind)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("kind (9)");
    }
}
