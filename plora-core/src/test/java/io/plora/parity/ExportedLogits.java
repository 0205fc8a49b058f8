package io.plora.parity;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;

/** Writes what {@code peft_parity.py verify} compares PEFT with: token ids, and the logits that we compute for them. */
public final class ExportedLogits {

    private ExportedLogits() {}

    /**
     * Writes {@code tokens.json} and {@code logits.json} beside an adapter's files.
     *
     * @param tokens ids of each sequence
     * @param logits (T, V) of each sequence
     */
    public static void write(Path adapter, List<int[]> tokens, List<float[]> logits) {
        ArrayNode ids = JsonNodeFactory.instance.arrayNode();
        ArrayNode values = JsonNodeFactory.instance.arrayNode();
        for (int i = 0; i < tokens.size(); i++) {
            int[] sequence = tokens.get(i);
            ArrayNode row = ids.addArray();
            for (int token : sequence) {
                row.add(token);
            }
            addRows(values.addArray(), logits.get(i), sequence.length);
        }
        try {
            JsonMapper mapper = new JsonMapper();
            mapper.writeValue(adapter.resolve("tokens.json").toFile(), ids);
            mapper.writeValue(adapter.resolve("logits.json").toFile(), values);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void addRows(ArrayNode sequence, float[] logits, int rows) {
        int vocabulary = logits.length / rows;
        for (int row = 0; row < rows; row++) {
            ArrayNode values = sequence.addArray();
            for (int column = 0; column < vocabulary; column++) {
                values.add(logits[row * vocabulary + column]);
            }
        }
    }
}
