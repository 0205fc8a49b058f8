package io.plora.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.collect.Streams;
import java.nio.file.Path;
import java.util.stream.Stream;

/** A file with one JSON object a line; blank lines are passed over. */
record JsonLines(Path file) implements RowSource {
    // numbers keep their digits: 18.00 stays 18.00 in a prompt
    static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    @Override
    public String name() {
        return file.toString();
    }

    @Override
    public Stream<Row> open() {
        Utf8Lines lines = new Utf8Lines(file);
        return Streams.stream(lines)
                .filter(line -> !line.text().isBlank())
                .map(this::parse)
                .onClose(lines::close);
    }

    private Row parse(Utf8Lines.Line line) {
        String position = "line (%d)".formatted(line.number());
        try {
            JsonNode node = MAPPER.readTree(line.text());
            if (node instanceof ObjectNode fields) {
                return new Row(name(), position, fields);
            }
            throw new IllegalArgumentException(
                    "%s, %s: must be a JSON object, not (%s).".formatted(name(), position, node.getNodeType()));
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(
                    "%s, %s: no valid JSON: %s. Maybe the file is not in JSON lines: one object a line."
                            .formatted(name(), position, e.getOriginalMessage()),
                    e);
        }
    }
}
