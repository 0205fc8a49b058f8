package io.plora.model;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.base.Throwables;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.StreamSupport;

/**
 * Text to token ids and back, as Hugging Face's tokenizers does with the model's tokenizer.json.
 *
 * <p>Works without network: the native library comes inside the dependency, and DJL is set offline before its first use
 * unless the system property {@code ai.djl.offline} is already set. Thread-safe until closed.
 */
public final class Tokenizer implements AutoCloseable {
    private static final Map<String, String> OPTIONS =
            Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false");

    static {
        if (System.getProperty("ai.djl.offline") == null) {
            System.setProperty("ai.djl.offline", "true");
        }
    }

    private final Path folder;
    private final HuggingFaceTokenizer tokenizer;
    private final OptionalInt beginOfSequence;
    private final OptionalInt endOfSequence;
    private final int vocabularySize;

    private Tokenizer(Path folder, HuggingFaceTokenizer tokenizer, int vocabularySize) {
        this.folder = folder;
        this.tokenizer = tokenizer;
        this.vocabularySize = vocabularySize;
        beginOfSequence = findBeginOfSequence();
        endOfSequence = findEndOfSequence();
    }

    /**
     * Opens the tokenizer of a model folder.
     *
     * @throws ModelFormatException if the folder has no tokenizer.json or one that is malformed
     */
    public static Tokenizer open(Path modelFolder) {
        Path file = modelFolder.resolve("tokenizer.json");
        if (!Files.isRegularFile(file)) {
            throw new ModelFormatException(
                    file,
                    "there is no such file: the model has no tokenizer. Maybe copy it from the model's repository, or write it with transformers: AutoTokenizer.from_pretrained(...).save_pretrained(...).");
        }
        int vocabularySize = vocabularySize(StrictJson.readObject(file));
        HuggingFaceTokenizer tokenizer = nativeTokenizer(file);
        try {
            return new Tokenizer(modelFolder, tokenizer, vocabularySize);
        } catch (RuntimeException e) {
            tokenizer.close();
            throw e;
        }
    }

    private static HuggingFaceTokenizer nativeTokenizer(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return HuggingFaceTokenizer.newInstance(in, OPTIONS);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: could not be read (%s).".formatted(file, e), e);
        } catch (RuntimeException e) {
            throw new ModelFormatException(
                    file,
                    "no valid tokenizer (%s). Maybe download the file again."
                            .formatted(Throwables.getRootCause(e).getMessage()),
                    e);
        }
    }

    /**
     * Token ids of a text. Special tokens written in the text become their ids; none is added.
     *
     * <p>This is {@code tokenizer(text, add_special_tokens=False)} in transformers.
     */
    public int[] encode(String text) {
        return ids(text, false);
    }

    /** The text of token ids, special tokens included. */
    public String decode(int[] ids) {
        return tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), false);
    }

    /**
     * The token that ends a sequence: eos_token of tokenizer_config.json, else the (first) eos_token_id of config.json or
     * generation_config.json.
     *
     * @throws IllegalStateException if no file names one
     */
    public int endOfSequence() {
        return endOfSequence.orElseThrow(() -> new IllegalStateException(
                "%s: the tokenizer has no end-of-sequence token. Maybe set eos_token in tokenizer_config.json."
                        .formatted(folder)));
    }

    /** The token that the model expects before plain text, where its tokenizer adds one there. */
    public OptionalInt beginOfSequence() {
        return beginOfSequence;
    }

    /** Largest token id + 1. The model's vocabulary may be larger, padded for speed, but not smaller. */
    public int vocabularySize() {
        return vocabularySize;
    }

    @Override
    public void close() {
        tokenizer.close();
    }

    private int[] ids(String text, boolean addSpecialTokens) {
        long[] ids = tokenizer.encode(text, addSpecialTokens, false).getIds();
        return Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
    }

    /** Taken from what the tokenizer does: some models name a bos_token that it never adds. */
    private OptionalInt findBeginOfSequence() {
        int[] plain = ids("a", false);
        int[] withSpecialTokens = ids("a", true);
        boolean added = withSpecialTokens.length > plain.length && withSpecialTokens[0] != plain[0];
        return added ? OptionalInt.of(withSpecialTokens[0]) : OptionalInt.empty();
    }

    private OptionalInt findEndOfSequence() {
        String token = SpecialTokens.read(folder).endOfSequence();
        if (token != null) {
            int[] ids = ids(token, false);
            if (ids.length != 1) {
                throw new ModelFormatException(
                        folder.resolve("tokenizer_config.json"),
                        "eos_token (%s) is not one token of tokenizer.json but (%d). Maybe the two files are of different models."
                                .formatted(token, ids.length));
            }
            return OptionalInt.of(ids[0]);
        }
        for (String name : new String[] {"config.json", "generation_config.json"}) {
            JsonNode id = StrictJson.readObjectIfPresent(folder.resolve(name)).path("eos_token_id");
            JsonNode first = id.isArray() ? id.path(0) : id;
            if (first.isInt()) {
                return OptionalInt.of(first.intValue());
            }
        }
        return OptionalInt.empty();
    }

    private static int vocabularySize(ObjectNode tokenizerJson) {
        JsonNode vocabulary = tokenizerJson.path("model").path("vocab");
        // an object of token to id; Unigram models have a list of [token, score] instead
        int largest = vocabulary.isObject() ? largestId(vocabulary) : vocabulary.size() - 1;
        for (JsonNode token : tokenizerJson.path("added_tokens")) {
            largest = Math.max(largest, token.path("id").intValue());
        }
        return largest + 1;
    }

    private static int largestId(Iterable<JsonNode> ids) {
        return StreamSupport.stream(ids.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .max()
                .orElse(-1);
    }
}
