package io.plora.examples.gpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The device code of a host library, container by container, and its replacement in place by machine code for one compute
 * capability. Different containers may be worked on at a time.
 */
final class DeviceCode {
    private static final Pattern KERNEL = Pattern.compile("\\.entry\\s+([\\w$]+)");

    private final ByteBuffer library;
    private final int architecture;
    private final List<FatbinContainer> containers;

    DeviceCode(ByteBuffer library, int architecture) {
        this.library = library;
        this.architecture = architecture;
        this.containers = FatbinContainer.find(library);
    }

    int architecture() {
        return architecture;
    }

    List<FatbinContainer> containers() {
        return containers;
    }

    /** Machine code for this compute capability, if the container has it: an ELF file. */
    Optional<byte[]> image(FatbinContainer container) {
        return image(container.entries(library));
    }

    private Optional<byte[]> image(List<FatbinEntry> entries) {
        return entries.stream()
                .filter(entry -> entry.kind() == FatbinEntry.Kind.ELF && entry.architecture() == architecture)
                .findFirst()
                .map(FatbinEntry::content);
    }

    /**
     * PTX that can be compiled for this compute capability, the newest of it.
     *
     * @throws IllegalArgumentException if there is none
     */
    String text(FatbinContainer container) {
        List<FatbinEntry> entries = container.entries(library);
        return entries.stream()
                .filter(entry -> entry.kind() == FatbinEntry.Kind.PTX && entry.architecture() <= architecture)
                .max(Comparator.comparingInt(FatbinEntry::architecture))
                .orElseThrow(() -> new IllegalArgumentException(
                        "Container (%d) has neither machine code for sm_%d nor PTX to make it from, but code for %s."
                                .formatted(container.number(), architecture, kinds(entries))))
                .text();
    }

    /**
     * Puts in place what an image archive holds for a container.
     *
     * @param image a container's bytes
     * @throws IllegalArgumentException if it has no machine code for this compute capability, or lacks kernels of the text
     */
    void placeImported(FatbinContainer container, ByteBuffer image) {
        List<FatbinEntry> entries = FatbinContainer.entriesOf(image);
        byte[] elf = image(entries)
                .orElseThrow(
                        () -> new IllegalArgumentException("The image for container (%d) is not for sm_%d, but for %s."
                                .formatted(container.number(), architecture, kinds(entries))));
        Set<String> symbols = ElfFile.of(ByteBuffer.wrap(elf)).definedSymbols();
        Set<String> missing = KERNEL.matcher(text(container))
                .results()
                .map(result -> result.group(1))
                .filter(kernel -> !symbols.contains(kernel))
                .collect(Collectors.toSet());
        if (!missing.isEmpty()) {
            throw new IllegalArgumentException(
                    "The image for container (%d) lacks (%d) of its kernels, such as (%s). Maybe it was made for another library."
                            .formatted(
                                    container.number(),
                                    missing.size(),
                                    missing.iterator().next()));
        }
        place(container, elf);
    }

    /**
     * Replaces what a container holds by one image, compressed only where it does not fit otherwise: as a whole, plain images
     * pack better. What follows is zeroed.
     *
     * @param elf machine code for this compute capability
     * @throws IllegalArgumentException if it does not fit
     */
    void place(FatbinContainer container, byte[] elf) {
        ByteBuffer content = FatbinEntry.ofMachineCode(elf, architecture, FatbinEntry.Compression.NONE)
                .toContainer();
        if (content.remaining() > container.size()) {
            content = FatbinEntry.ofMachineCode(elf, architecture, FatbinEntry.Compression.LZ4)
                    .toContainer();
        }
        if (content.remaining() > container.size()) {
            throw new IllegalArgumentException(
                    "The image for container (%d) takes (%d) bytes, where there is room for (%d)."
                            .formatted(container.number(), content.remaining(), container.size()));
        }
        ByteBuffer target = library.duplicate().position(container.offset());
        target.put(content);
        target.put(new byte[container.offset() + container.size() - target.position()]);
    }

    /** Zeroes the names that only a debugger looks at: they take more room in an archive than much machine code. */
    void dropDebuggingSymbols() {
        ElfFile elf = ElfFile.of(library);
        for (String name : List.of(".symtab", ".strtab")) {
            elf.section(name)
                    .ifPresent(section ->
                            library.duplicate().position(section.offset()).put(new byte[section.size()]));
        }
    }

    /** A container's bytes, without the zeros behind its last entry. */
    ByteBuffer bytes(FatbinContainer container) {
        long size = FatbinContainer.HEADER_BYTES
                + library.duplicate().order(ByteOrder.LITTLE_ENDIAN).getLong(container.offset() + 8);
        return library.slice(container.offset(), (int) size);
    }

    private static String kinds(List<FatbinEntry> entries) {
        return entries.stream()
                .map(entry -> (entry.kind() == FatbinEntry.Kind.PTX ? "compute_" : "sm_") + entry.architecture())
                .collect(Collectors.joining(", "));
    }
}
