package io.plora.data;

import com.google.common.collect.AbstractIterator;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Lines of a UTF-8 file, read one at a time, without a byte order mark. Bytes are split before they are decoded, so that
 * a malformed line is named exactly.
 */
final class Utf8Lines extends AbstractIterator<Utf8Lines.Line> implements AutoCloseable {

    /** A line and its number, from 1. */
    record Line(long number, String text) {}

    private final Path file;
    private final InputStream input;
    private long number;

    Utf8Lines(Path file) {
        this.file = file;
        try {
            input = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    /** Apart from exceptions of those that parse the lines. */
    static final class Unreadable extends UncheckedIOException {
        private static final long serialVersionUID = 1;

        private Unreadable(Path file, IOException cause) {
            super("%s: cannot be read (%s). Maybe the path is misspelt.".formatted(file, cause), cause);
        }
    }

    static Unreadable unreadable(Path file, IOException cause) {
        return new Unreadable(file, cause);
    }

    @Override
    protected @Nullable Line computeNext() {
        try {
            byte[] bytes = readLine();
            if (bytes == null) {
                return endOfData();
            }
            number++;
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
            return new Line(number, number == 1 && text.startsWith("\uFEFF") ? text.substring(1) : text);
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException(
                    "%s, line (%d): not valid UTF-8. Maybe the file has another encoding: convert it, for example with iconv -f LATIN1 -t UTF-8."
                            .formatted(file, number),
                    e);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private byte @Nullable [] readLine() throws IOException {
        int next = input.read();
        if (next < 0) {
            return null;
        }
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        while (next >= 0 && next != '\n') {
            line.write(next);
            next = input.read();
        }
        return line.toByteArray();
    }

    /** The lines that are left, each ended by a line feed. */
    Reader asReader() {
        return new Reader() {
            private String text = "";
            private int position;

            @Override
            public int read(char[] target, int offset, int count) {
                if (position == text.length()) {
                    if (!hasNext()) {
                        return -1;
                    }
                    text = next().text() + "\n";
                    position = 0;
                }
                int taken = Math.min(count, text.length() - position);
                text.getChars(position, position + taken, target, offset);
                position += taken;
                return taken;
            }

            @Override
            public void close() {
                Utf8Lines.this.close();
            }
        };
    }

    @Override
    public void close() {
        try {
            input.close();
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }
}
