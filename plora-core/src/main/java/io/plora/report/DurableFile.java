package io.plora.report;

import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Writes that are on disk when they return. By streams, not channels, which an interrupt would close midway. */
final class DurableFile {
    private DurableFile() {}

    /** Adds to the file, made if missing. */
    static void append(Path path, String text) throws IOException {
        write(path, text.getBytes(StandardCharsets.UTF_8), true);
    }

    /** Replaces what the file holds. */
    static void replace(Path path, byte[] content) throws IOException {
        write(path, content, false);
    }

    private static void write(Path path, byte[] bytes, boolean append) throws IOException {
        try (FileOutputStream out = new FileOutputStream(path.toFile(), append)) {
            out.write(bytes);
            out.getFD().sync();
        }
    }
}
