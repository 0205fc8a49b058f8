package io.plora.examples.gpu;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZInputStream;
import org.tukaani.xz.XZOutputStream;

/**
 * Machine code compiled before, as a .tar.xz: for each container of a library a file {@code elfNNN.fatbin}, where NNN is the
 * container's number.
 */
final class ImageArchive {
    private static final Pattern NAME = Pattern.compile("elf(\\d{3,})\\.fatbin");
    private static final int DICTIONARY = 64 << 20; // images resemble each other, so far apart as they are

    private ImageArchive() {}

    /** Takes one image. */
    @FunctionalInterface
    interface Visitor {
        /** @param image a container's bytes */
        void visit(int number, ByteBuffer image);
    }

    /** Reads the images one after the other. */
    static void read(Path archive, Visitor visitor) throws IOException {
        try (InputStream file = new BufferedInputStream(Files.newInputStream(archive));
                TarArchiveInputStream tar = new TarArchiveInputStream(new XZInputStream(file))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                Matcher name = NAME.matcher(entry.getName());
                if (!name.matches()) {
                    throw new IllegalArgumentException(
                            "The archive (%s) holds (%s), which is no image's name such as elf000.fatbin."
                                    .formatted(archive, entry.getName()));
                }
                visitor.visit(Integer.parseInt(name.group(1)), ByteBuffer.wrap(tar.readAllBytes()));
            }
        }
    }

    /** Writes the images that a library holds. */
    static void write(DeviceCode code, Path archive) throws IOException {
        LZMA2Options options = new LZMA2Options();
        options.setDictSize(DICTIONARY);
        try (OutputStream file = new BufferedOutputStream(Files.newOutputStream(archive));
                TarArchiveOutputStream tar = new TarArchiveOutputStream(new XZOutputStream(file, options))) {
            for (FatbinContainer container : code.containers()) {
                ByteBuffer image = code.bytes(container);
                TarArchiveEntry entry = new TarArchiveEntry("elf%03d.fatbin".formatted(container.number()));
                entry.setSize(image.remaining());
                tar.putArchiveEntry(entry);
                Channels.newChannel(tar).write(image);
                tar.closeArchiveEntry();
            }
        }
    }
}
