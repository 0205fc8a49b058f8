package io.plora.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * All weights of a Hugging Face model folder, in one safetensors file or in several with an index.
 *
 * <p>Buffers stay valid after {@link #close()}.
 */
public final class Checkpoint implements WeightSource, AutoCloseable {

    public static final String SINGLE_FILE = "model.safetensors";
    public static final String INDEX_FILE = "model.safetensors.index.json";

    private final Path folder;
    private final Map<String, Safetensors> shards = new TreeMap<>();
    private final Map<String, Safetensors> shardOfTensor = new LinkedHashMap<>();

    private Checkpoint(Path folder) {
        this.folder = folder;
    }

    /**
     * Opens and checks every file of a model folder.
     *
     * @throws ModelFormatException if the folder, a shard or a tensor of the index is missing, or a file is malformed
     */
    public static Checkpoint open(Path folder) {
        Checkpoint checkpoint = new Checkpoint(folder);
        try {
            if (Files.exists(folder.resolve(SINGLE_FILE))) {
                checkpoint.openSingle();
            } else if (Files.exists(folder.resolve(INDEX_FILE))) {
                checkpoint.openShards();
            } else {
                throw new ModelFormatException(
                        folder,
                        Files.isDirectory(folder)
                                ? "has neither (%s) nor (%s). Maybe its weights are in another format: use safetensors."
                                        .formatted(SINGLE_FILE, INDEX_FILE)
                                : "there is no such folder. Maybe download the model first.");
            }
        } catch (RuntimeException e) {
            checkpoint.close();
            throw e;
        }
        return checkpoint;
    }

    private void openSingle() {
        Safetensors file = openShard(SINGLE_FILE);
        file.names().forEach(name -> shardOfTensor.put(name, file));
    }

    private void openShards() {
        Path index = folder.resolve(INDEX_FILE);
        JsonNode weightMap = StrictJson.readObject(index).path("weight_map");
        if (!weightMap.isObject() || weightMap.isEmpty()) {
            throw new ModelFormatException(
                    index,
                    "weight_map (%s) must map tensor names to files. Maybe download the index again."
                            .formatted(weightMap));
        }
        for (Map.Entry<String, JsonNode> tensor : weightMap.properties()) {
            String name = tensor.getKey();
            Safetensors shard = shard(index, name, tensor.getValue());
            if (!shard.names().contains(name)) {
                throw new ModelFormatException(
                        index,
                        "tensor (%s) is not in (%s). Maybe index and shards are of different downloads."
                                .formatted(name, shard.file()));
            }
            shardOfTensor.put(name, shard);
        }
    }

    private Safetensors shard(Path index, String tensor, JsonNode fileName) {
        String text = fileName.asText();
        if (!fileName.isTextual()
                || text.isEmpty()
                || !Path.of(text).equals(Path.of(text).getFileName())) {
            throw new ModelFormatException(
                    index,
                    "shard (%s) of tensor (%s) must be the name of a file. Maybe download the index again."
                            .formatted(fileName, tensor));
        }
        Safetensors known = shards.get(text);
        if (known != null) {
            return known;
        }
        if (!Files.isRegularFile(folder.resolve(text))) {
            throw new ModelFormatException(
                    index,
                    "shard (%s) of tensor (%s) is missing. Maybe the download was interrupted."
                            .formatted(text, tensor));
        }
        return openShard(text);
    }

    private Safetensors openShard(String fileName) {
        Safetensors shard = Safetensors.open(folder.resolve(fileName));
        shards.put(fileName, shard);
        return shard;
    }

    public Path folder() {
        return folder;
    }

    /** Whether there is an index beside the weights. */
    public boolean isSharded() {
        return !shards.containsKey(SINGLE_FILE);
    }

    /** Names of all tensors. */
    public Set<String> names() {
        return Collections.unmodifiableSet(shardOfTensor.keySet());
    }

    /** The files, in the order of their names. */
    public Collection<Safetensors> shards() {
        return Collections.unmodifiableCollection(shards.values());
    }

    /** As {@link Safetensors#info}. */
    @Override
    public TensorInfo info(String name) {
        return shardOf(name).info(name);
    }

    /** As {@link Safetensors#bytes(String)}. */
    public ByteBuffer bytes(String name) {
        return shardOf(name).bytes(name);
    }

    /** As {@link Safetensors#bytes(String, long, int)}. */
    @Override
    public ByteBuffer bytes(String name, long offset, int length) {
        return shardOf(name).bytes(name, offset, length);
    }

    /** As {@link Safetensors#floats}. */
    public float[] floats(String name) {
        return shardOf(name).floats(name);
    }

    private Safetensors shardOf(String name) {
        Safetensors shard = shardOfTensor.get(name);
        if (shard == null) {
            throw new ModelFormatException(
                    folder, "has no tensor (%s). Maybe the model is of another architecture.".formatted(name));
        }
        return shard;
    }

    @Override
    public void close() {
        shards.values().forEach(Safetensors::close);
    }
}
