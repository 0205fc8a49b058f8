package io.plora.report;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A text file that grows by lines, each on disk before the next. Not a channel: an interrupt would close that. */
final class AppendedFile implements AutoCloseable {
    private final RandomAccessFile file;

    private AppendedFile(RandomAccessFile file) {
        this.file = file;
    }

    /** Opens the file, made if missing, and cuts it to the given length. */
    static AppendedFile open(Path path, long length) throws IOException {
        RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw");
        file.setLength(length);
        file.seek(length);
        return new AppendedFile(file);
    }

    void append(String text) throws IOException {
        file.write(text.getBytes(StandardCharsets.UTF_8));
        file.getFD().sync();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
