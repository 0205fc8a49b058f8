package io.plora.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads the small JSON files of a model folder. */
final class JsonFile {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private JsonFile() {}

    /**
     * Parses a file that holds one JSON object.
     *
     * @throws IllegalArgumentException if it holds anything else
     */
    static ObjectNode read(Path file) {
        try {
            JsonNode node = MAPPER.readTree(file.toFile());
            if (node instanceof ObjectNode object) {
                return object;
            }
            throw new IllegalArgumentException(
                    "%s: expected a JSON object. Maybe the file is incomplete: download it again.".formatted(file));
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(
                    "%s: no valid JSON at line (%d): %s. Maybe the file is incomplete: download it again."
                            .formatted(file, e.getLocation().getLineNr(), e.getOriginalMessage()),
                    e);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
        }
    }

    /** As {@link #read}, or an empty object where there is no such file. */
    static ObjectNode readIfPresent(Path file) {
        return Files.exists(file) ? read(file) : MAPPER.createObjectNode();
    }
}
