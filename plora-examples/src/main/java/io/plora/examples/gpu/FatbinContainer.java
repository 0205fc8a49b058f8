package io.plora.examples.gpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Device code of one translation unit inside a host library: the same kernels for several GPUs. Its layout is not
 * documented; this one was read off files that CUDA 11 and 13 wrote: a header of 16 bytes (magic number, version 1, the
 * header's size, the size of what follows), then entries.
 *
 * @param number its position among the library's containers, from 0
 * @param offset of its header in the library
 * @param size in bytes, header included
 */
record FatbinContainer(int number, int offset, int size) {
    static final int MAGIC = 0xBA55ED50;
    static final int HEADER_BYTES = 16;

    private static final String SECTION = ".nv_fatbin";
    private static final int VERSION_AND_HEADER_SIZE = HEADER_BYTES << 16 | 1;
    private static final int ALIGNMENT = 8;

    /**
     * The containers of a host library, in its order.
     *
     * @throws IllegalArgumentException if it is no ELF library, or holds none
     */
    static List<FatbinContainer> find(ByteBuffer library) {
        ByteBuffer bytes = library.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        ElfFile.Section section = ElfFile.of(bytes)
                .section(SECTION)
                .orElseThrow(() -> new IllegalArgumentException(
                        "The library has no section (%s), so no device code.".formatted(SECTION)));
        List<FatbinContainer> found = new ArrayList<>();
        int end = section.offset() + section.size();
        int at = section.offset();
        while (at + HEADER_BYTES <= end) {
            if (bytes.getInt(at) != MAGIC || bytes.getInt(at + 4) != VERSION_AND_HEADER_SIZE) {
                at += ALIGNMENT;
                continue;
            }
            long size = HEADER_BYTES + bytes.getLong(at + 8);
            if (size < HEADER_BYTES || size > end - at) {
                throw new IllegalArgumentException(
                        "The container of device code at byte (%d) claims (%d) bytes, beyond its section (%s)."
                                .formatted(at, size, SECTION));
            }
            found.add(new FatbinContainer(found.size(), at, (int) size));
            at += (int) size;
        }
        return found;
    }

    /** What it holds, in the library's order. */
    List<FatbinEntry> entries(ByteBuffer library) {
        return entriesOf(library.slice(offset, size));
    }

    /** The entries of a container's bytes, from its header on; zeros after its end are no part of it. */
    static List<FatbinEntry> entriesOf(ByteBuffer container) {
        ByteBuffer bytes = container.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.remaining() < HEADER_BYTES
                || bytes.getInt(0) != MAGIC
                || bytes.getInt(4) != VERSION_AND_HEADER_SIZE
                || bytes.getLong(8) > bytes.remaining() - HEADER_BYTES) {
            throw new IllegalArgumentException("This is no container of device code (fat binary), or it is cut off.");
        }
        bytes.limit((int) (HEADER_BYTES + bytes.getLong(8))).position(HEADER_BYTES);
        List<FatbinEntry> entries = new ArrayList<>();
        while (bytes.hasRemaining()) {
            entries.add(FatbinEntry.read(bytes));
        }
        return entries;
    }
}
