package io.plora.examples.gpu;

import io.airlift.compress.lz4.Lz4Compressor;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** ELF files and containers of device code, as small as they can be. */
final class FakeLibrary {
    private static final int ELF_HEADER = 64;
    private static final int SECTION_HEADER = 64;

    private FakeLibrary() {}

    /** One entry's bytes: kind 1 is PTX, 2 is machine code; compressed with LZ4 if so wished. */
    static byte[] entry(int kind, int architecture, byte[] content, boolean compressed) {
        byte[] stored = content;
        if (compressed) {
            Lz4Compressor compressor = new Lz4Compressor();
            byte[] target = new byte[compressor.maxCompressedLength(content.length)];
            int length = compressor.compress(content, 0, content.length, target, 0, target.length);
            stored = Arrays.copyOf(target, length);
        }
        int padded = (stored.length + 7) / 8 * 8;
        ByteBuffer bytes = littleEndian(FatbinEntry.HEADER_BYTES + padded);
        bytes.putShort(0, (short) kind).putShort(2, (short) 0x101);
        bytes.putInt(4, FatbinEntry.HEADER_BYTES).putLong(8, padded);
        bytes.putInt(28, architecture).putLong(40, compressed ? 0x2011 : 0x11);
        if (compressed) {
            bytes.putInt(16, stored.length).putLong(56, content.length);
        }
        bytes.position(FatbinEntry.HEADER_BYTES).put(stored);
        return bytes.array();
    }

    static byte[] ptx(int architecture, String text, boolean compressed) {
        return entry(1, architecture, (text + "\0").getBytes(StandardCharsets.UTF_8), compressed);
    }

    static byte[] container(byte[]... entries) {
        byte[] content = concatenate(List.of(entries));
        ByteBuffer bytes = littleEndian(FatbinContainer.HEADER_BYTES + content.length);
        bytes.putInt(FatbinContainer.MAGIC)
                .putShort((short) 1)
                .putShort((short) 16)
                .putLong(content.length);
        return bytes.put(content).array();
    }

    /** A library with these containers in its section, 8 bytes apart. */
    static byte[] of(byte[]... containers) {
        List<byte[]> parts = new ArrayList<>();
        for (byte[] container : containers) {
            parts.add(container);
            parts.add(new byte[8]);
        }
        return elf(".nv_fatbin", concatenate(parts));
    }

    /** Machine code that defines these kernels. */
    static byte[] image(String... kernels) {
        String names = "\0" + String.join("\0", kernels) + "\0";
        ByteBuffer symbols = littleEndian(24 * (kernels.length + 1));
        int name = 1;
        for (int i = 0; i < kernels.length; i++) {
            symbols.putInt(24 * (i + 1), name).putShort(24 * (i + 1) + 6, (short) 1);
            name += kernels[i].length() + 1;
        }
        return elf(".symtab", symbols.array(), names.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] elf(String section, byte[] content) {
        return elf(section, content, new byte[] {0});
    }

    /** An ELF file of three sections besides the empty first: names, the one asked for, and the strings that it refers to. */
    private static byte[] elf(String section, byte[] content, byte[] strings) {
        byte[] names = ("\0.shstrtab\0" + section + "\0.strtab\0").getBytes(StandardCharsets.UTF_8);
        int namesAt = ELF_HEADER;
        int contentAt = (namesAt + names.length + 7) / 8 * 8;
        int stringsAt = contentAt + content.length;
        int headersAt = (stringsAt + strings.length + 7) / 8 * 8;
        ByteBuffer bytes = littleEndian(headersAt + 4 * SECTION_HEADER);
        bytes.putInt(0, 0x464C457F).putShort(4, (short) 0x0102).putLong(40, headersAt);
        bytes.putShort(60, (short) 4).putShort(62, (short) 1);
        bytes.put(namesAt, names).put(contentAt, content).put(stringsAt, strings);
        section(bytes, headersAt + SECTION_HEADER, 1, namesAt, names.length, 0);
        section(bytes, headersAt + 2 * SECTION_HEADER, 11, contentAt, content.length, 3);
        section(bytes, headersAt + 3 * SECTION_HEADER, 12 + section.length(), stringsAt, strings.length, 0);
        return bytes.array();
    }

    private static void section(ByteBuffer bytes, int header, int name, int at, int size, int link) {
        bytes.putInt(header, name)
                .putInt(header + 4, 1)
                .putLong(header + 24, at)
                .putLong(header + 32, size);
        bytes.putInt(header + 40, link);
    }

    private static byte[] concatenate(List<byte[]> parts) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        parts.forEach(bytes::writeBytes);
        return bytes.toByteArray();
    }

    private static ByteBuffer littleEndian(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
