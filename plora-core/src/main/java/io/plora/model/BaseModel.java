package io.plora.model;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A model folder in Hugging Face's layout, opened and checked; weights stay on disk until {@link DecoderWeights} reads them.
 *
 * <p>Not thread-safe while tokenizer and chat template are first asked for.
 */
public final class BaseModel implements AutoCloseable {
    private final Path folder;
    private final ModelConfig config;
    private final Checkpoint checkpoint;
    private @Nullable Tokenizer tokenizer;
    private @Nullable Optional<ChatTemplate> chatTemplate;

    private BaseModel(Path folder, ModelConfig config, Checkpoint checkpoint) {
        this.folder = folder;
        this.config = config;
        this.checkpoint = checkpoint;
    }

    /**
     * Opens a folder with config.json and safetensors weights, and checks that every tensor which the architecture needs is
     * there in the right shape.
     *
     * @throws ModelFormatException if anything is missing, malformed or not supported
     */
    public static BaseModel open(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new ModelFormatException(
                    folder,
                    Files.exists(folder)
                            ? "is not a folder. Maybe name the folder that the file is in."
                            : "there is no such folder. Maybe download the model first.");
        }
        ModelConfig config = ModelConfig.read(folder);
        Checkpoint checkpoint = Checkpoint.open(folder);
        try {
            DecoderTensors.shapes(config).forEach((name, shape) -> requireShape(checkpoint, name, shape));
        } catch (RuntimeException e) {
            checkpoint.close();
            throw e;
        }
        return new BaseModel(folder, config, checkpoint);
    }

    private static void requireShape(Checkpoint checkpoint, String name, long[] wanted) {
        TensorInfo found = checkpoint.info(name);
        if (!found.hasShape(wanted)) {
            throw new ModelFormatException(
                    checkpoint.folder(),
                    "tensor (%s) has shape (%s), config.json asks for (%s). Maybe the two are of different models."
                            .formatted(name, Arrays.toString(found.shape()), Arrays.toString(wanted)));
        }
    }

    public Path folder() {
        return folder;
    }

    /** The folder's own name. */
    public String name() {
        return folder.toAbsolutePath().normalize().getFileName().toString();
    }

    public ModelConfig config() {
        return config;
    }

    public Checkpoint checkpoint() {
        return checkpoint;
    }

    /**
     * The model's tokenizer, opened when first asked for and closed with the model.
     *
     * @throws ModelFormatException if there is none, or it has tokens that the model does not
     */
    public Tokenizer tokenizer() {
        if (tokenizer == null) {
            Tokenizer opened = Tokenizer.open(folder);
            if (opened.vocabularySize() > config.vocabularySize()) {
                opened.close();
                throw new ModelFormatException(
                        folder.resolve("tokenizer.json"),
                        "has token ids up to (%d), the model a vocabulary of (%d). Maybe the two are of different models."
                                .formatted(opened.vocabularySize() - 1, config.vocabularySize()));
            }
            tokenizer = opened;
        }
        return tokenizer;
    }

    /** The model's chat template, if it has one. */
    public Optional<ChatTemplate> chatTemplate() {
        if (chatTemplate == null) {
            chatTemplate = ChatTemplate.open(folder);
        }
        return chatTemplate;
    }

    @Override
    public void close() {
        try (checkpoint) {
            if (tokenizer != null) {
                tokenizer.close();
            }
        }
    }

    @Override
    public String toString() {
        return "BaseModel(%s)".formatted(folder);
    }
}
