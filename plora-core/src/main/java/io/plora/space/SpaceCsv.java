package io.plora.space;

import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/** Reads configurations from a CSV file with a header. */
final class SpaceCsv {
    private static final CSVFormat FORMAT =
            CSVFormat.DEFAULT.builder().setIgnoreSurroundingSpaces(true).build();
    private static final String BYTE_ORDER_MARK = "\uFEFF";

    private final Path file;
    private final List<String> columns = new ArrayList<>();
    private final List<Field<?>> fields = new ArrayList<>();

    private SpaceCsv(Path file) {
        this.file = file;
    }

    static List<LoraConfig> read(Path file) {
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8);
                CSVParser parser = CSVParser.parse(reader, FORMAT)) {
            return new SpaceCsv(file).read(parser);
        } catch (IOException | UncheckedIOException e) {
            throw new UncheckedIOException(
                    "%s: cannot be read as CSV (%s).".formatted(file, e.getMessage()),
                    e instanceof IOException io ? io : new IOException(e));
        }
    }

    private List<LoraConfig> read(CSVParser parser) {
        List<LoraConfig> configs = new ArrayList<>();
        for (CSVRecord row : parser) {
            if (columns.isEmpty()) {
                readHeader(row);
            } else {
                configs.add(readRow(row, parser.getCurrentLineNumber()));
            }
        }
        if (configs.isEmpty()) {
            throw new IllegalArgumentException(
                    "%s: no configuration. Maybe write a header such as rank,lora_alpha,learning_rate,batch_size, then a row for each."
                            .formatted(file));
        }
        return configs;
    }

    private void readHeader(CSVRecord header) {
        Map<Field<?>, String> seen = new HashMap<>();
        for (String text : header) {
            String column = text.replace(BYTE_ORDER_MARK, "");
            Field<?> field = Field.ofColumn(column)
                    .orElseThrow(() ->
                            new IllegalArgumentException("%s: line 1: unknown column (%s). Maybe use one of %s."
                                    .formatted(
                                            file,
                                            column,
                                            Field.ALL.stream().map(Field::name).collect(Collectors.joining(", ")))));
            String other = seen.put(field, column);
            if (other != null) {
                throw new IllegalArgumentException(
                        "%s: line 1: columns (%s) and (%s) are the same field.".formatted(file, other, column));
            }
            columns.add(column);
            fields.add(field);
        }
        if (seen.containsKey(Field.ALPHA) && seen.containsKey(Field.ALPHA_OVER_RANK)) {
            throw new IllegalArgumentException("%s: line 1: columns (%s) and (%s) both set alpha."
                    .formatted(file, seen.get(Field.ALPHA), seen.get(Field.ALPHA_OVER_RANK)));
        }
    }

    private LoraConfig readRow(CSVRecord row, long line) {
        if (row.size() != columns.size()) {
            throw new IllegalArgumentException(
                    "%s: line %d: (%d) values for (%d) columns.".formatted(file, line, row.size(), columns.size()));
        }
        List<UnaryOperator<LoraConfig>> settings = new ArrayList<>();
        for (Field<?> field : Field.ALL) {
            int column = fields.indexOf(field);
            if (column >= 0) {
                settings.add(readValue(line, column, row.get(column)));
            }
        }
        return GridSpace.apply(settings);
    }

    private UnaryOperator<LoraConfig> readValue(long line, int column, String value) {
        try {
            return fields.get(column).parse(value);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "%s: line %d, column %s, value (%s): %s"
                            .formatted(file, line, columns.get(column), value, e.getMessage()),
                    e);
        }
    }
}
