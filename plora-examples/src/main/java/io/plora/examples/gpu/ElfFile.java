package io.plora.examples.gpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Sections and symbols of a 64-bit little-endian ELF file: a host library or a GPU's machine code (System V ABI, "Object
 * Files"; GNU symbol versioning as in the Linux Standard Base).
 */
final class ElfFile {
    private static final int MAGIC = 0x464C457F;
    private static final int CLASS_64_LITTLE_ENDIAN = 0x0102;
    private static final int SECTION_HEADER_BYTES = 64;
    private static final int SYMBOL_BYTES = 24;
    private static final int NO_BITS = 8; // section type: takes no bytes of the file
    private static final int VERSION_MASK = 0x7FFF;

    private final ByteBuffer bytes;
    private final List<Section> sections;

    /**
     * Bytes of the file that a section takes.
     *
     * @param link index of the section that it refers to: a symbol table's strings
     */
    record Section(String name, int type, int offset, int size, int link) {}

    private ElfFile(ByteBuffer bytes) {
        this.bytes = bytes;
        this.sections = readSections();
    }

    /**
     * @param content the file's bytes from position to limit
     * @throws IllegalArgumentException if it is no 64-bit little-endian ELF file
     */
    static ElfFile of(ByteBuffer content) {
        ByteBuffer bytes = content.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.remaining() < SECTION_HEADER_BYTES
                || bytes.getInt(0) != MAGIC
                || bytes.getShort(4) != CLASS_64_LITTLE_ENDIAN) {
            throw new IllegalArgumentException("This is no 64-bit little-endian ELF file.");
        }
        try {
            return new ElfFile(bytes);
        } catch (IndexOutOfBoundsException | ArithmeticException e) {
            throw new IllegalArgumentException("This ELF file is cut off or damaged.", e);
        }
    }

    Optional<Section> section(String name) {
        return sections.stream().filter(section -> section.name.equals(name)).findFirst();
    }

    /** Names of the symbols that the file defines, local ones included. */
    Set<String> definedSymbols() {
        Set<String> names = new HashSet<>();
        section(".symtab").ifPresent(table -> {
            Section strings = sections.get(table.link);
            for (int at = table.offset; at < table.offset + table.size; at += SYMBOL_BYTES) {
                if (bytes.getShort(at + 6) != 0) {
                    names.add(string(strings, bytes.getInt(at)));
                }
            }
        });
        return names;
    }

    /** Names of the functions and variables that the file needs of other libraries, by the library's file name. */
    Map<String, SortedSet<String>> neededSymbols() {
        Map<String, SortedSet<String>> needed = new TreeMap<>();
        Optional<Section> table = section(".dynsym");
        Optional<Section> versions = section(".gnu.version");
        if (table.isEmpty() || versions.isEmpty()) {
            return needed;
        }
        Map<Integer, String> libraries = librariesByVersion();
        Section strings = sections.get(table.get().link);
        for (int i = 0; i < table.get().size / SYMBOL_BYTES; i++) {
            int symbol = table.get().offset + i * SYMBOL_BYTES;
            int version = bytes.getShort(versions.get().offset + 2 * i) & VERSION_MASK;
            String library = libraries.get(version);
            if (bytes.getShort(symbol + 6) == 0 && library != null) {
                needed.computeIfAbsent(library, name -> new TreeSet<>()).add(string(strings, bytes.getInt(symbol)));
            }
        }
        return needed;
    }

    /** .gnu.version_r: for each needed library a chain of versions, each with the index that symbols refer to. */
    private Map<Integer, String> librariesByVersion() {
        Map<Integer, String> libraries = new HashMap<>();
        Section needs = section(".gnu.version_r").orElse(null);
        if (needs == null) {
            return libraries;
        }
        Section strings = sections.get(needs.link);
        int need = needs.offset;
        while (true) {
            String library = string(strings, bytes.getInt(need + 4));
            int version = need + bytes.getInt(need + 8);
            for (int i = 0; i < bytes.getShort(need + 2); i++) {
                libraries.put(bytes.getShort(version + 6) & VERSION_MASK, library);
                version += bytes.getInt(version + 12);
            }
            int next = bytes.getInt(need + 12);
            if (next == 0) {
                return libraries;
            }
            need += next;
        }
    }

    private List<Section> readSections() {
        int headers = Math.toIntExact(bytes.getLong(40));
        int count = headers == 0 ? 0 : bytes.getShort(60) & 0xFFFF;
        if (headers != 0 && count == 0) { // 65,280 sections or more: the first header holds their number
            count = Math.toIntExact(bytes.getLong(headers + 32));
        }
        List<Section> unnamed = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int at = headers + i * SECTION_HEADER_BYTES;
            int type = bytes.getInt(at + 4);
            int size = type == NO_BITS ? 0 : Math.toIntExact(bytes.getLong(at + 32));
            unnamed.add(new Section("", type, Math.toIntExact(bytes.getLong(at + 24)), size, bytes.getInt(at + 40)));
        }
        int names = bytes.getShort(62) & 0xFFFF;
        if (names == 0xFFFF) {
            names = unnamed.get(0).link;
        }
        List<Section> named = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Section section = unnamed.get(i);
            String name = string(unnamed.get(names), bytes.getInt(headers + i * SECTION_HEADER_BYTES));
            named.add(new Section(name, section.type, section.offset, section.size, section.link));
        }
        return named;
    }

    private String string(Section strings, int index) {
        int start = strings.offset + index;
        int end = start;
        while (bytes.get(end) != 0) {
            end++;
        }
        byte[] name = new byte[end - start];
        bytes.get(start, name);
        return new String(name, StandardCharsets.UTF_8);
    }
}
