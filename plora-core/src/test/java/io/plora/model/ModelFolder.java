package io.plora.model;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.kernels.DType;
import io.plora.kernels.Values;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** Writes small model folders for tests: config.json, and random weights in one file or several. */
final class ModelFolder {
    private final Path folder;
    private final ObjectNode config = JsonNodeFactory.instance.objectNode();
    private final Map<String, float[]> values = new TreeMap<>();
    private final Map<String, long[]> shapes = new LinkedHashMap<>();

    /** A Llama with grouped-query attention whose heads are not hidden size / heads, untied. */
    ModelFolder(Path folder) {
        this.folder = folder;
        config.put("model_type", "llama");
        config.putArray("architectures").add("LlamaForCausalLM");
        config.put("hidden_size", 48);
        config.put("intermediate_size", 40);
        config.put("num_hidden_layers", 2);
        config.put("num_attention_heads", 3);
        config.put("num_key_value_heads", 1);
        config.put("head_dim", 32);
        config.put("vocab_size", 50);
        config.put("rms_norm_eps", 1e-5);
        config.put("max_position_embeddings", 64);
        config.put("torch_dtype", "bfloat16");
        config.put("rope_theta", 500000.0);
    }

    /** Where config.json's values are set; the weights follow them. */
    ObjectNode config() {
        return config;
    }

    ModelFolder writeConfig() {
        StrictJson.writeObject(folder.resolve("config.json"), config);
        return this;
    }

    /** Draws the weights that the config asks for. */
    ModelFolder drawWeights(DType type, long seed) {
        writeConfig();
        SplittableRandom random = new SplittableRandom(seed);
        DecoderTensors.shapes(ModelConfig.read(folder)).forEach((name, shape) -> withTensor(name, type, random, shape));
        return this;
    }

    ModelFolder withTensor(String name, DType type, SplittableRandom random, long... shape) {
        ByteBuffer rounded = ByteBuffer.allocate(type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        float[] drawn = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
        for (int i = 0; i < drawn.length; i++) {
            FloatFormat.put(type, rounded, 0, (float) random.nextGaussian());
            drawn[i] = Values.value(rounded, type, 0);
        }
        shapes.put(name, shape);
        values.put(name, drawn);
        return this;
    }

    ModelFolder without(String name) {
        shapes.remove(name);
        return this;
    }

    /** The values of a tensor as its type holds them. */
    float[] values(String name) {
        return values.get(name);
    }

    void writeOneFile(DType type) {
        SafetensorsWriter writer = new SafetensorsWriter();
        shapes.keySet().forEach(name -> add(writer, type, name));
        writer.write(folder.resolve(Checkpoint.SINGLE_FILE));
    }

    /** Deals the tensors out to so many files. */
    void writeShards(DType type, int shards) {
        ObjectNode index = JsonNodeFactory.instance.objectNode();
        ObjectNode weightMap = index.putObject("weight_map");
        for (int shard = 0; shard < shards; shard++) {
            String file = "model-%05d-of-%05d.safetensors".formatted(shard + 1, shards);
            SafetensorsWriter writer = new SafetensorsWriter();
            int position = 0;
            for (String name : shapes.keySet()) {
                if (position++ % shards == shard) {
                    add(writer, type, name);
                    weightMap.put(name, file);
                }
            }
            writer.write(folder.resolve(file));
        }
        StrictJson.writeObject(folder.resolve(Checkpoint.INDEX_FILE), index);
    }

    private void add(SafetensorsWriter writer, DType type, String name) {
        float[] floats = values.get(name);
        ByteBuffer bytes = ByteBuffer.allocate(floats.length * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < floats.length; i++) {
            FloatFormat.put(type, bytes, i, floats[i]);
        }
        writer.withTensor(name, new TensorInfo(type, shapes.get(name)), TensorData.of(bytes));
    }
}
