package io.plora.model;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** JSON files of one object; when reading, no key may occur twice and nothing may follow the object. */
public final class StrictJson {

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private StrictJson() {}

    /**
     * Reads a file that holds one JSON object.
     *
     * @throws ModelFormatException if it is missing or holds anything else
     */
    public static ObjectNode readObject(Path file) {
        try {
            return parseObject(file, Files.readAllBytes(file));
        } catch (NoSuchFileException e) {
            throw new ModelFormatException(file, "there is no such file. Maybe the folder is incomplete.", e);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: could not be read (%s).".formatted(file, e), e);
        }
    }

    /**
     * Writes an object for people to read, as {@link AtomicFiles#writeFile} does.
     *
     * @throws UncheckedIOException if it cannot be written
     */
    public static void writeObject(Path file, ObjectNode object) {
        AtomicFiles.writeFile(file, (object.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
    }

    /** As {@link #readObject}, or an empty object where there is no such file. */
    static ObjectNode readObjectIfPresent(Path file) {
        return Files.exists(file) ? readObject(file) : MAPPER.createObjectNode();
    }

    /** Parses an object that a file holds somewhere. */
    static ObjectNode parseObject(Path file, byte[] json) {
        try {
            JsonNode node = MAPPER.readTree(json);
            if (node instanceof ObjectNode object) {
                return object;
            }
            throw new ModelFormatException(
                    file, "expected a JSON object, found (%s). Maybe the file is truncated.".formatted(node));
        } catch (JsonProcessingException e) {
            throw new ModelFormatException(
                    file,
                    "no valid JSON at line (%d), column (%d): %s. Maybe the file is truncated."
                            .formatted(
                                    e.getLocation().getLineNr(), e.getLocation().getColumnNr(), e.getOriginalMessage()),
                    e);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: could not be read (%s).".formatted(file, e), e);
        }
    }
}
