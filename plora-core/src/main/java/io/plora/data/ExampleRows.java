package io.plora.data;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Rows in memory. */
record ExampleRows(List<Map<String, String>> examples) implements RowSource {

    ExampleRows {
        examples = examples.stream().map(Map::copyOf).toList();
    }

    @Override
    public String name() {
        return "examples";
    }

    @Override
    public Stream<Row> open() {
        return IntStream.range(0, examples.size()).mapToObj(this::row);
    }

    private Row row(int index) {
        ObjectNode fields = JsonNodeFactory.instance.objectNode();
        examples.get(index).forEach(fields::put);
        return new Row(name(), "example (%d)".formatted(index + 1), fields);
    }
}
