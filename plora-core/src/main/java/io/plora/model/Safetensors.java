package io.plora.model;

import io.plora.kernels.DType;
import io.plora.kernels.Values;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A safetensors file, memory-mapped.
 *
 * <p>Opening checks the whole header, so that a truncated or damaged file is noticed before anything is computed. A
 * file up to 2 GiB is mapped at once, a larger one tensor by tensor. Buffers stay valid after {@link #close()}.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">Format</a>
 */
public final class Safetensors implements AutoCloseable {

    /** The format's own limit of the header's length, against files that are something else. */
    private static final long MAX_HEADER_BYTES = 100_000_000;

    /** Elements decoded at a time. */
    private static final int CHUNK = 1 << 24;

    private final Path file;
    private final FileChannel channel;
    private final SafetensorsHeader header;
    private final long dataStart;
    private final @Nullable ByteBuffer whole;

    private Safetensors(
            Path file, FileChannel channel, SafetensorsHeader header, long dataStart, @Nullable ByteBuffer whole) {
        this.file = file;
        this.channel = channel;
        this.header = header;
        this.dataStart = dataStart;
        this.whole = whole;
    }

    /**
     * Opens a file and checks its header.
     *
     * @throws ModelFormatException if the file is missing, truncated or no safetensors file
     * @throws UncheckedIOException if it cannot be read
     */
    public static Safetensors open(Path file) {
        try {
            FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
            try {
                return open(file, channel);
            } catch (IOException | RuntimeException e) {
                channel.close();
                throw e;
            }
        } catch (NoSuchFileException e) {
            throw new ModelFormatException(file, "there is no such file. Maybe the folder is incomplete.", e);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static Safetensors open(Path file, FileChannel channel) throws IOException {
        long fileBytes = channel.size();
        if (fileBytes < Long.BYTES) {
            throw new ModelFormatException(
                    file,
                    "truncated: a header needs at least (8) bytes, the file has (%d). Maybe download it again."
                            .formatted(fileBytes));
        }
        long headerBytes = map(channel, 0, Long.BYTES).getLong();
        if (headerBytes < 0 || headerBytes > MAX_HEADER_BYTES) {
            throw new ModelFormatException(
                    file,
                    ("wrong header: its length (%s) exceeds (%d) bytes."
                                    + " Maybe this is no safetensors file, such as a Git LFS pointer.")
                            .formatted(Long.toUnsignedString(headerBytes), MAX_HEADER_BYTES));
        }
        long dataStart = Long.BYTES + headerBytes;
        if (dataStart > fileBytes) {
            throw new ModelFormatException(
                    file,
                    "truncated: header and its length need (%d) bytes, the file has (%d). Maybe download it again."
                            .formatted(dataStart, fileBytes));
        }
        byte[] json = new byte[(int) headerBytes];
        map(channel, Long.BYTES, headerBytes).get(json);
        SafetensorsHeader header = SafetensorsHeader.parse(file, json, fileBytes - dataStart);
        ByteBuffer whole = fileBytes <= Integer.MAX_VALUE ? map(channel, 0, fileBytes) : null;
        return new Safetensors(file, channel, header, dataStart, whole);
    }

    private static ByteBuffer map(FileChannel channel, long position, long bytes) throws IOException {
        return channel.map(MapMode.READ_ONLY, position, bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static UncheckedIOException unreadable(Path file, IOException cause) {
        return new UncheckedIOException("%s: could not be read (%s).".formatted(file, cause), cause);
    }

    public Path file() {
        return file;
    }

    /** Names of all tensors, in the order of their data. */
    public Set<String> names() {
        return header.entries().keySet();
    }

    /** What the writer left besides tensors, such as {@code format=pt}. */
    public Map<String, String> metadata() {
        return header.metadata();
    }

    /**
     * Type and shape of a tensor.
     *
     * @throws ModelFormatException if there is no tensor of that name or its type is none of {@link DType}'s
     */
    public TensorInfo info(String name) {
        SafetensorsHeader.Entry entry = entry(name);
        if (entry.info() == null) {
            throw new ModelFormatException(
                    file,
                    "tensor (%s) has the unsupported type (%s). Maybe use a checkpoint in BF16, F16 or F32."
                            .formatted(name, entry.type()));
        }
        return entry.info();
    }

    /**
     * All bytes of a tensor: read-only, direct, little-endian, from position 0.
     *
     * @throws ModelFormatException if there is no tensor of that name, or it exceeds 2 GiB, the limit of a Java buffer
     */
    public ByteBuffer bytes(String name) {
        long bytes = entry(name).bytes();
        if (bytes > Integer.MAX_VALUE) {
            throw new ModelFormatException(
                    file,
                    "tensor (%s) of (%d) bytes exceeds 2 GiB, the limit of a Java buffer. Maybe read it in pieces."
                            .formatted(name, bytes));
        }
        return bytes(name, 0, (int) bytes);
    }

    /**
     * A piece of a tensor: read-only, direct, little-endian, from position 0.
     *
     * @param offset first byte
     * @param length number of bytes
     */
    public ByteBuffer bytes(String name, long offset, int length) {
        SafetensorsHeader.Entry entry = entry(name);
        if (offset < 0 || length < 0 || offset > entry.bytes() - length) {
            throw new IndexOutOfBoundsException("%s: bytes [%d, %d) of tensor (%s) of (%d) bytes."
                    .formatted(file, offset, offset + length, name, entry.bytes()));
        }
        long position = dataStart + entry.begin() + offset;
        try {
            return whole == null
                    ? map(channel, position, length)
                    : whole.slice((int) position, length).order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    /**
     * A copy of a tensor of any of {@link DType}'s types.
     *
     * @throws ModelFormatException if there is no tensor of that name, or it has more elements than a Java array can
     */
    public float[] floats(String name) {
        TensorInfo info = info(name);
        if (info.size() > Integer.MAX_VALUE - 8) {
            throw new ModelFormatException(
                    file, "tensor (%s) of (%s) has more elements than a Java array can.".formatted(name, info));
        }
        int elementBytes = info.type().bytes();
        float[] values = new float[(int) info.size()];
        for (int from = 0; from < values.length; from += Math.min(CHUNK, values.length - from)) {
            int count = Math.min(CHUNK, values.length - from);
            ByteBuffer piece = bytes(name, (long) from * elementBytes, count * elementBytes);
            Values.decode(
                    piece, info.type(), FloatBuffer.wrap(values, from, count).slice());
        }
        return values;
    }

    /**
     * Writes a copy of this file with other values for some tensors: same header, same order, one tensor after
     * another; as {@link AtomicFiles#writeFile} does.
     *
     * @param replaced new values by name, each of the same number of bytes as the old ones
     * @throws UncheckedIOException if the copy cannot be written
     */
    public void copyTo(Path target, Map<String, TensorData> replaced) {
        replaced.keySet().forEach(this::entry);
        AtomicFiles.writeFile(target, output -> {
            transfer(0, dataStart, output);
            for (Map.Entry<String, SafetensorsHeader.Entry> tensor :
                    header.entries().entrySet()) {
                SafetensorsHeader.Entry entry = tensor.getValue();
                TensorData data = replaced.get(tensor.getKey());
                if (data == null) {
                    transfer(dataStart + entry.begin(), entry.bytes(), output);
                } else {
                    SafetensorsWriter.writeExactly(tensor.getKey(), entry.bytes(), data, output);
                }
            }
        });
    }

    private void transfer(long position, long bytes, FileChannel output) throws IOException {
        for (long done = 0; done < bytes; ) {
            long count = channel.transferTo(position + done, bytes - done, output);
            if (count == 0) {
                throw new EOFException("%s was truncated meanwhile".formatted(file));
            }
            done += count;
        }
    }

    private SafetensorsHeader.Entry entry(String name) {
        SafetensorsHeader.Entry entry = header.entries().get(name);
        if (entry == null) {
            throw new ModelFormatException(
                    file,
                    "has no tensor (%s). Maybe the file is of another architecture or incomplete.".formatted(name));
        }
        return entry;
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    @Override
    public String toString() {
        return "Safetensors(%s, %d tensors)".formatted(file, names().size());
    }
}
