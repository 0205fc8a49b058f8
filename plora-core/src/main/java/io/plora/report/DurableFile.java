package io.plora.report;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Writes that are on disk when they return. Not by channels, which an interrupt would close midway. */
final class DurableFile {
    private DurableFile() {}

    /** Adds to the file, made if missing: all of the text or, if that fails, none of it. */
    static void append(Path path, String text) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            long end = file.length();
            file.seek(end);
            try {
                file.write(text.getBytes(StandardCharsets.UTF_8));
                file.getFD().sync();
            } catch (IOException e) {
                file.setLength(end); // half a line would spoil the next one
                throw e;
            }
        }
    }

    /** Makes the file, or cuts it to a length. */
    static void cut(Path path, long length) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.setLength(length);
        }
    }

    /** Replaces what the file holds. */
    static void replace(Path path, String text) throws IOException {
        try (FileOutputStream out = new FileOutputStream(path.toFile())) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
            out.getFD().sync();
        }
    }
}
