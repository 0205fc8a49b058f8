package io.plora.examples;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.cost.ModelShapes;
import io.plora.model.Checkpoint;
import io.plora.model.DecoderTensors;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.model.SafetensorsWriter;
import io.plora.model.StrictJson;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Writes a model of any size with random weights, to measure time and memory where no real model is at hand: the shape of a
 * well-known model, or a Qwen2 of given sizes, in Hugging Face's layout, bfloat16, with the bundled model's tokenizer, whose
 * 4,096 tokens are the first of the vocabulary. Weights are made as they are written. Equal shapes and seeds give equal files.
 */
@Command(
        name = "RandomModelMaker",
        mixinStandardHelpOptions = true,
        description = "Writes a model with random weights.",
        sortOptions = false)
public final class RandomModelMaker implements Callable<Integer> {
    private static final int CHUNK = 64 << 20;
    private static final List<String> TOKENIZER_FILES =
            List.of("tokenizer.json", "tokenizer_config.json", "chat_template.jinja");

    @Option(names = "--output", required = true, description = "folder of the model")
    private Path output = Path.of("");

    @Option(
            names = "--shape",
            description =
                    "of a well-known model, such as Qwen2.5-7B or Llama-3.1-8B; then the sizes below do not count")
    private @Nullable String shape;

    @Option(names = "--hidden", description = "hidden size (default: ${DEFAULT-VALUE})")
    private int hidden = 512;

    @Option(names = "--intermediate", description = "intermediate size (default: ${DEFAULT-VALUE})")
    private int intermediate = 1408;

    @Option(names = "--layers", description = "decoder layers (default: ${DEFAULT-VALUE})")
    private int layers = 4;

    @Option(names = "--heads", description = "query heads (default: ${DEFAULT-VALUE})")
    private int heads = 8;

    @Option(names = "--kv-heads", description = "key and value heads (default: ${DEFAULT-VALUE})")
    private int kvHeads = 4;

    @Option(names = "--vocabulary", description = "at least the tokenizer's 4,096 (default: ${DEFAULT-VALUE})")
    private int vocabulary = 4096;

    @Option(names = "--untied", description = "give the output layer weights of its own")
    private boolean untied;

    @Option(names = "--shard-mib", description = "size of a file of weights (default: ${DEFAULT-VALUE})")
    private long shardMebibytes = 4096;

    @Option(names = "--seed", description = "of the weights (default: ${DEFAULT-VALUE})")
    private long seed = 1;

    public static void main(String[] arguments) {
        CommandLines.main(new RandomModelMaker(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        ModelConfig model = model();
        Files.createDirectories(output);
        StrictJson.writeObject(output.resolve("config.json"), ConfigJson.of(model));
        for (String name : TOKENIZER_FILES) {
            Files.copy(ExampleFiles.model().resolve(name), output.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
        RandomWeights weights = new RandomWeights(model, seed);
        List<List<String>> shards = shards(weights, DecoderTensors.shapes(model).keySet());
        for (int i = 0; i < shards.size(); i++) {
            write(weights, shards.get(i), fileName(i, shards.size()));
        }
        if (shards.size() > 1) {
            StrictJson.writeObject(output.resolve(Checkpoint.INDEX_FILE), index(weights, shards));
        }
        return 0;
    }

    private ModelConfig model() {
        if (shape != null) {
            return ModelShapes.of(shape);
        }
        return new ModelConfig(
                "qwen2",
                hidden,
                intermediate,
                layers,
                heads,
                kvHeads,
                hidden / heads,
                vocabulary,
                1e-6,
                new RopeConfig(1e6, null),
                !untied,
                true,
                4096);
    }

    /** Names of the tensors of each file, in order; a file is full when the next tensor would exceed its size. */
    private List<List<String>> shards(RandomWeights weights, Collection<String> names) {
        List<List<String>> shards = new ArrayList<>();
        long bytes = Long.MAX_VALUE;
        for (String name : names) {
            long more = weights.info(name).bytes();
            if (bytes > (shardMebibytes << 20) - more) {
                shards.add(new ArrayList<>());
                bytes = 0;
            }
            shards.get(shards.size() - 1).add(name);
            bytes += more;
        }
        return shards;
    }

    private static String fileName(int shard, int shards) {
        return shards == 1 ? Checkpoint.SINGLE_FILE : "model-%05d-of-%05d.safetensors".formatted(shard + 1, shards);
    }

    private void write(RandomWeights weights, List<String> names, String fileName) {
        SafetensorsWriter writer = new SafetensorsWriter();
        for (String name : names) {
            TensorInfo info = weights.info(name);
            writer.withTensor(name, info, channel -> {
                int length;
                for (long offset = 0; offset < info.bytes(); offset += length) {
                    length = (int) Math.min(CHUNK, info.bytes() - offset);
                    TensorData.writeFully(weights.bytes(name, offset, length), channel);
                }
            });
        }
        writer.write(output.resolve(fileName));
    }

    private static ObjectNode index(RandomWeights weights, List<List<String>> shards) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        long bytes = shards.stream()
                .flatMap(List::stream)
                .mapToLong(name -> weights.info(name).bytes())
                .sum();
        json.putObject("metadata").put("total_size", bytes);
        ObjectNode map = json.putObject("weight_map");
        for (int i = 0; i < shards.size(); i++) {
            for (String name : shards.get(i)) {
                map.put(name, fileName(i, shards.size()));
            }
        }
        return json;
    }
}
