package io.plora.examples.gpu;

import io.airlift.compress.Decompressor;
import io.airlift.compress.lz4.Lz4Compressor;
import io.airlift.compress.lz4.Lz4Decompressor;
import io.airlift.compress.zstd.ZstdDecompressor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One entry of a {@link FatbinContainer}: PTX or machine code for one compute capability. A header of 64 bytes or more,
 * then the content, compressed or not and padded to 8 bytes:
 *
 * <pre>
 *  0 u16 kind (1 PTX, 2 ELF)   2 u16 version        4 u32 header bytes    8 u64 content bytes, padding included
 * 16 u32 compressed bytes     20 u32 options at    24 u16 minor          26 u16 major version of the content's format
 * 28 u32 compute capability   32 u32 name at       36 u32 name bytes     40 u64 flags
 * 48 u64 unused               56 u64 uncompressed bytes, 0 where the content is not compressed
 * </pre>
 *
 * @param architecture compute capability, major and minor digits: 86
 * @param stored content as stored
 * @param contentBytes length of the content once decompressed; where it is not compressed, padding included
 */
record FatbinEntry(Kind kind, int architecture, Compression compression, ByteBuffer stored, int contentBytes) {
    static final int HEADER_BYTES = 64;

    private static final short VERSION = 0x0101;
    private static final int ELF_FORMAT = 1 << 16 | 8; // major 1, minor 8
    private static final int FLAGS = 0x11; // 64-bit code, for Linux
    private static final int ALIGNMENT = 8;

    enum Kind {
        PTX,
        ELF
    }

    enum Compression {
        NONE(0),
        LZ4(0x2000),
        ZSTD(0x8000);

        private final int flag;

        Compression(int flag) {
            this.flag = flag;
        }
    }

    /** Reads the entry at the buffer's position and leaves the position behind it. */
    static FatbinEntry read(ByteBuffer bytes) {
        int at = bytes.position();
        int kind = bytes.getShort(at);
        int header = bytes.getInt(at + 4);
        long padded = bytes.getLong(at + 8);
        long end = (long) at + header + padded;
        if (kind < 1 || kind > Kind.values().length || header < HEADER_BYTES || padded < 0 || end > bytes.limit()) {
            throw new IllegalArgumentException(
                    "The entry of device code at byte (%d) has an unknown layout: kind (%d), header (%d), content (%d)."
                            .formatted(at, kind, header, padded));
        }
        Compression compression = compression(bytes.getLong(at + 40));
        boolean compressed = compression != Compression.NONE;
        int stored = compressed ? bytes.getInt(at + 16) : (int) padded;
        int content = compressed ? Math.toIntExact(bytes.getLong(at + 56)) : stored;
        FatbinEntry entry = new FatbinEntry(
                Kind.values()[kind - 1], bytes.getInt(at + 28), compression, bytes.slice(at + header, stored), content);
        bytes.position((int) end);
        return entry;
    }

    /** An entry of machine code. */
    static FatbinEntry ofMachineCode(byte[] elf, int architecture, Compression compression) {
        return switch (compression) {
            case NONE -> {
                byte[] padded = Arrays.copyOf(elf, padded(elf.length));
                yield new FatbinEntry(Kind.ELF, architecture, compression, ByteBuffer.wrap(padded), padded.length);
            }
            case LZ4 -> {
                Lz4Compressor compressor = new Lz4Compressor();
                byte[] target = new byte[compressor.maxCompressedLength(elf.length)];
                int length = compressor.compress(elf, 0, elf.length, target, 0, target.length);
                yield new FatbinEntry(
                        Kind.ELF,
                        architecture,
                        compression,
                        ByteBuffer.wrap(target, 0, length).slice(),
                        elf.length);
            }
            case ZSTD ->
                throw new IllegalArgumentException("Only drivers of CUDA 12.8 or later read this compression.");
        };
    }

    /** The content, decompressed. */
    byte[] content() {
        byte[] source = new byte[stored.remaining()];
        stored.duplicate().get(source);
        return switch (compression) {
            case NONE -> source;
            case LZ4 -> decompress(new Lz4Decompressor(), source);
            case ZSTD -> decompress(new ZstdDecompressor(), source);
        };
    }

    /** PTX, without the zeros that end it. */
    String text() {
        byte[] content = content();
        int length = content.length;
        while (length > 0 && content[length - 1] == 0) {
            length--;
        }
        return new String(content, 0, length, StandardCharsets.UTF_8);
    }

    /** A container that holds this entry of machine code alone. */
    ByteBuffer toContainer() {
        int padded = padded(stored.remaining());
        int size = FatbinContainer.HEADER_BYTES + HEADER_BYTES + padded;
        boolean compressed = compression != Compression.NONE;
        ByteBuffer target = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        target.putInt(FatbinContainer.MAGIC).putShort((short) 1).putShort((short) FatbinContainer.HEADER_BYTES);
        target.putLong(size - FatbinContainer.HEADER_BYTES);
        target.putShort((short) (kind.ordinal() + 1))
                .putShort(VERSION)
                .putInt(HEADER_BYTES)
                .putLong(padded);
        target.putInt(compressed ? stored.remaining() : 0)
                .putInt(0)
                .putInt(ELF_FORMAT)
                .putInt(architecture);
        target.putLong(0).putLong(FLAGS | compression.flag).putLong(0).putLong(compressed ? contentBytes : 0);
        target.put(stored.duplicate());
        return target.rewind();
    }

    private static Compression compression(long flags) {
        for (Compression compression : Compression.values()) {
            if ((flags & compression.flag) != 0) {
                return compression;
            }
        }
        return Compression.NONE;
    }

    private byte[] decompress(Decompressor decompressor, byte[] source) {
        byte[] target = new byte[contentBytes];
        int length = decompressor.decompress(source, 0, source.length, target, 0, target.length);
        if (length != contentBytes) {
            throw new IllegalArgumentException(
                    "Compressed device code for compute capability (%d) gave (%d) bytes instead of (%d)."
                            .formatted(architecture, length, contentBytes));
        }
        return target;
    }

    private static int padded(int length) {
        return (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
