package io.plora.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.kernels.DType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The JSON header of a safetensors file, checked: tensors fill the data section without gaps or overlaps, and each
 * one's byte count is that of its shape and type.
 *
 * @param metadata free text that the writer left
 * @param entries in the order of their data
 */
record SafetensorsHeader(Map<String, String> metadata, Map<String, Entry> entries) {

    static final String METADATA_KEY = "__metadata__";

    private static final String DAMAGED = " Maybe the file is damaged: download or write it again.";

    /**
     * Where a tensor lies.
     *
     * @param type the file's own name of the element type
     * @param begin offset into the data section
     * @param info null if the type is none of {@link DType}'s
     */
    record Entry(
            String type, long begin, long end, @Nullable TensorInfo info) {
        long bytes() {
            return end - begin;
        }
    }

    /**
     * @param dataBytes size of the file's data section
     * @throws ModelFormatException if anything does not fit
     */
    static SafetensorsHeader parse(Path file, byte[] json, long dataBytes) {
        ObjectNode header = StrictJson.parseObject(file, json);
        Map<String, String> metadata = metadata(file, header.remove(METADATA_KEY));
        List<Map.Entry<String, Entry>> tensors = new ArrayList<>();
        header.properties()
                .forEach(tensor ->
                        tensors.add(Map.entry(tensor.getKey(), entry(file, tensor.getKey(), tensor.getValue()))));
        tensors.sort(Comparator.comparingLong(
                        (Map.Entry<String, Entry> tensor) -> tensor.getValue().begin())
                .thenComparingLong(tensor -> tensor.getValue().end()));
        requireContiguous(file, tensors, dataBytes);

        Map<String, Entry> entries = new LinkedHashMap<>();
        tensors.forEach(tensor -> entries.put(tensor.getKey(), tensor.getValue()));
        return new SafetensorsHeader(metadata, Collections.unmodifiableMap(entries));
    }

    private static Map<String, String> metadata(Path file, @Nullable JsonNode node) {
        Map<String, String> metadata = new LinkedHashMap<>();
        if (node != null) {
            requireIntact(node.isObject(), file, "%s (%s) must be an object.", METADATA_KEY, node);
            node.properties().forEach(property -> {
                JsonNode value = property.getValue();
                requireIntact(value.isTextual(), file, "metadata (%s) must be text.", property.getKey());
                metadata.put(property.getKey(), value.textValue());
            });
        }
        return Collections.unmodifiableMap(metadata);
    }

    private static Entry entry(Path file, String name, JsonNode node) {
        JsonNode type = node.path("dtype");
        long[] shape = longs(node.path("shape"));
        long[] offsets = longs(node.path("data_offsets"));
        requireIntact(
                type.isTextual() && shape != null && offsets != null && offsets.length == 2 && offsets[0] <= offsets[1],
                file,
                "tensor (%s) must have a dtype, a shape and two data_offsets in order, found (%s).",
                name,
                node);
        TensorInfo info = info(file, name, type.textValue(), shape);
        requireIntact(
                info == null || info.bytes() == offsets[1] - offsets[0],
                file,
                "tensor (%s) of type and shape (%s) does not fit data_offsets (%s).",
                name,
                info,
                Arrays.toString(offsets));
        return new Entry(type.textValue(), offsets[0], offsets[1], info);
    }

    private static @Nullable TensorInfo info(Path file, String name, String type, long[] shape) {
        Optional<DType> known = Arrays.stream(DType.values())
                .filter(candidate -> candidate.name().equals(type))
                .findFirst();
        try {
            return known.map(value -> new TensorInfo(value, shape)).orElse(null);
        } catch (ArithmeticException e) {
            throw new ModelFormatException(
                    file,
                    ("wrong header: tensor (%s) has an impossible shape (%s)." + DAMAGED)
                            .formatted(name, Arrays.toString(shape)),
                    e);
        }
    }

    /** An array of whole numbers that are not negative, or null if the node is anything else. */
    private static long @Nullable [] longs(JsonNode node) {
        long[] values = new long[node.size()];
        for (int i = 0; i < values.length; i++) {
            JsonNode value = node.path(i);
            if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
                return null;
            }
            values[i] = value.longValue();
        }
        return node.isArray() ? values : null;
    }

    private static void requireContiguous(Path file, List<Map.Entry<String, Entry>> tensors, long dataBytes) {
        long position = 0;
        String previous = "the header";
        for (Map.Entry<String, Entry> tensor : tensors) {
            long begin = tensor.getValue().begin();
            requireIntact(
                    begin == position,
                    file,
                    "tensor (%s) begins at byte (%d) of the data, %s (%s), which ends at byte (%d).",
                    tensor.getKey(),
                    begin,
                    begin < position ? "inside" : "with a gap after",
                    previous,
                    position);
            position = tensor.getValue().end();
            previous = tensor.getKey();
        }
        require(
                position <= dataBytes,
                file,
                "truncated: (%d) of (%d) bytes of data are missing. Maybe download or copy the file again.",
                position - dataBytes,
                position);
        requireIntact(
                position == dataBytes,
                file,
                "(%d) bytes at the end of the file belong to no tensor.",
                dataBytes - position);
    }

    private static void requireIntact(boolean valid, Path file, String problem, @Nullable Object... values) {
        require(valid, file, "wrong header: " + problem + DAMAGED, values);
    }

    private static void require(boolean valid, Path file, String problem, @Nullable Object... values) {
        if (!valid) {
            throw new ModelFormatException(file, problem.formatted(values));
        }
    }
}
