package io.plora.model;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes a safetensors file as Hugging Face's writer does: header padded to 8 bytes, wider element types first so
 * that all values are aligned, then by name.
 */
public final class SafetensorsWriter {

    private static final int ALIGNMENT = 8;

    private final Map<String, String> metadata = new TreeMap<>(Map.of("format", "pt"));
    private final Map<String, Tensor> tensors = new TreeMap<>();

    private record Tensor(String name, TensorInfo info, TensorData data) {}

    /** Adds free text; {@code format=pt} is there already. */
    public SafetensorsWriter withMetadata(String key, String value) {
        metadata.put(key, value);
        return this;
    }

    /**
     * Adds a tensor.
     *
     * @param data gives exactly the bytes that {@code info} says
     * @throws IllegalArgumentException if there is a tensor of that name already
     */
    public SafetensorsWriter withTensor(String name, TensorInfo info, TensorData data) {
        if (name.equals(SafetensorsHeader.METADATA_KEY) || tensors.containsKey(name)) {
            throw new IllegalArgumentException("Tensor name (%s) is taken already.".formatted(name));
        }
        tensors.put(name, new Tensor(name, info, data));
        return this;
    }

    /**
     * Writes the file, as {@link AtomicFiles#writeFile} does.
     *
     * @throws java.io.UncheckedIOException if it cannot be written
     */
    public void write(Path file) {
        List<Tensor> ordered = new ArrayList<>(tensors.values());
        ordered.sort(Comparator.comparingInt(tensor -> -tensor.info().type().bytes()));
        AtomicFiles.writeFile(file, channel -> {
            TensorData.writeFully(header(ordered), channel);
            for (Tensor tensor : ordered) {
                writeExactly(tensor.name(), tensor.info().bytes(), tensor.data(), channel);
            }
        });
    }

    /** Writes values that must be of a given number of bytes. */
    static void writeExactly(String name, long bytes, TensorData data, FileChannel channel) throws IOException {
        long start = channel.position();
        data.writeTo(channel);
        long written = channel.position() - start;
        if (written != bytes) {
            throw new IllegalArgumentException(
                    "Tensor (%s) needs (%d) bytes, its data gave (%d).".formatted(name, bytes, written));
        }
    }

    private ByteBuffer header(List<Tensor> ordered) {
        ObjectNode header = JsonNodeFactory.instance.objectNode();
        ObjectNode metadataNode = header.putObject(SafetensorsHeader.METADATA_KEY);
        metadata.forEach(metadataNode::put);
        long position = 0;
        for (Tensor tensor : ordered) {
            long end = position + tensor.info().bytes();
            ObjectNode node = header.putObject(tensor.name());
            node.put("dtype", tensor.info().type().name());
            ArrayNode shape = node.putArray("shape");
            for (long dimension : tensor.info().shape()) {
                shape.add(dimension);
            }
            node.putArray("data_offsets").add(position).add(end);
            position = end;
        }
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        int padding = Math.floorMod(-json.length, ALIGNMENT);
        return ByteBuffer.allocate(Long.BYTES + json.length + padding)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length + padding)
                .put(json)
                .put(" ".repeat(padding).getBytes(StandardCharsets.UTF_8))
                .flip();
    }
}
