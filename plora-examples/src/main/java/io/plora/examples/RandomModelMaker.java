package io.plora.examples;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.kernels.DType;
import io.plora.model.Checkpoint;
import io.plora.model.DecoderTensors;
import io.plora.model.FloatFormat;
import io.plora.model.ModelConfig;
import io.plora.model.SafetensorsWriter;
import io.plora.model.StrictJson;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Writes a model of any size with random weights, to measure time and memory where no real model is at hand: a Qwen2 in
 * Hugging Face's layout, bfloat16, with the bundled model's tokenizer. Equal shapes and seeds give equal files.
 */
@Command(
        name = "RandomModelMaker",
        mixinStandardHelpOptions = true,
        description = "Writes a Qwen2 model with random weights.",
        sortOptions = false)
public final class RandomModelMaker implements Callable<Integer> {
    private static final float STANDARD_DEVIATION = 0.02f; // transformers' initializer_range
    private static final int CHUNK = 1 << 16;
    private static final List<String> TOKENIZER_FILES =
            List.of("tokenizer.json", "tokenizer_config.json", "chat_template.jinja");

    @Option(names = "--output", required = true, description = "folder of the model")
    private Path output = Path.of("");

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

    @Option(names = "--seed", description = "of the weights (default: ${DEFAULT-VALUE})")
    private long seed = 1;

    public static void main(String[] arguments) {
        CommandLines.main(new RandomModelMaker(), arguments);
    }

    @Override
    public Integer call() throws IOException {
        Files.createDirectories(output);
        StrictJson.writeObject(output.resolve("config.json"), config());
        for (String name : TOKENIZER_FILES) {
            Files.copy(ExampleFiles.model().resolve(name), output.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
        SafetensorsWriter weights = new SafetensorsWriter();
        DecoderTensors.shapes(ModelConfig.read(output)).forEach((name, shape) -> {
            TensorInfo info = new TensorInfo(DType.BF16, shape);
            weights.withTensor(name, info, values(name, info.size()));
        });
        weights.write(output.resolve(Checkpoint.SINGLE_FILE));
        return 0;
    }

    private ObjectNode config() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add("Qwen2ForCausalLM");
        json.put("model_type", "qwen2");
        json.put("hidden_act", "silu");
        json.put("hidden_size", hidden);
        json.put("intermediate_size", intermediate);
        json.put("num_hidden_layers", layers);
        json.put("num_attention_heads", heads);
        json.put("num_key_value_heads", kvHeads);
        json.put("vocab_size", vocabulary);
        json.put("max_position_embeddings", 4096);
        json.put("rms_norm_eps", 1e-6);
        json.put("rope_theta", 1e6);
        json.put("tie_word_embeddings", !untied);
        json.put("torch_dtype", "bfloat16");
        return json;
    }

    /** Ones for norms, zeros for biases, normally distributed values for the rest; made while they are written. */
    private TensorData values(String name, long size) {
        Random random = new Random(seed * 31 + name.hashCode());
        boolean norm = name.endsWith("norm.weight");
        boolean bias = name.endsWith(".bias");
        return channel -> {
            ByteBuffer chunk = ByteBuffer.allocate(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
            for (long i = 0; i < size; i++) {
                float value = norm ? 1 : bias ? 0 : (float) random.nextGaussian() * STANDARD_DEVIATION;
                chunk.putShort(FloatFormat.toBfloat16(value));
                if (!chunk.hasRemaining() || i + 1 == size) {
                    TensorData.writeFully(chunk.flip(), channel);
                    chunk.clear();
                }
            }
        };
    }
}
