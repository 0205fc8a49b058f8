package io.plora.space;

import com.google.common.base.Throwables;
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
import java.util.Objects;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/**
 * Reads configurations from a CSV file with a header. An unknown column is an error, as a misspelt one would go unnoticed;
 * not so beside a column of ids, which show that nothing was lost.
 */
final class SpaceCsv {
    private static final CSVFormat FORMAT =
            CSVFormat.DEFAULT.builder().setIgnoreSurroundingSpaces(true).build();
    private static final String ID = "id";
    private static final String BYTE_ORDER_MARK = "\uFEFF";

    private final Path file;
    private final List<String> columns = new ArrayList<>();
    private final Map<Field<?>, Integer> fields = new HashMap<>();

    private SpaceCsv(Path file) {
        this.file = file;
    }

    static List<LoraConfig> read(Path file) {
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8);
                CSVParser parser = CSVParser.parse(reader, FORMAT)) {
            return new SpaceCsv(file).read(parser);
        } catch (IOException | UncheckedIOException e) {
            throw new UncheckedIOException(
                    "%s: cannot be read as CSV (%s).".formatted(file, Throwables.getRootCause(e)),
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
        header.forEach(name -> columns.add(name.replace(BYTE_ORDER_MARK, "")));
        for (int column = 0; column < columns.size(); column++) {
            addField(columns.get(column), column);
        }
        if (fields.containsKey(Field.ALPHA) && fields.containsKey(Field.ALPHA_OVER_RANK)) {
            throw new IllegalArgumentException("%s: line 1: columns (%s) and (%s) both set alpha."
                    .formatted(file, name(Field.ALPHA), name(Field.ALPHA_OVER_RANK)));
        }
    }

    private void addField(String name, int column) {
        Optional<Field<?>> field = Field.ofColumn(name);
        if (field.isEmpty() && !columns.contains(ID)) {
            throw new IllegalArgumentException("%s: line 1: unknown column (%s). Maybe use one of %s."
                    .formatted(file, name, Field.ALL.stream().map(Field::name).collect(Collectors.joining(", "))));
        }
        if (field.isPresent() && fields.containsKey(field.get())) {
            throw new IllegalArgumentException(
                    "%s: line 1: columns (%s) and (%s) are the same field.".formatted(file, name(field.get()), name));
        }
        field.ifPresent(known -> fields.put(known, column));
    }

    private String name(Field<?> field) {
        return columns.get(Objects.requireNonNull(fields.get(field)));
    }

    private LoraConfig readRow(CSVRecord row, long line) {
        if (row.size() != columns.size()) {
            throw new IllegalArgumentException(
                    "%s: line %d: (%d) values for (%d) columns.".formatted(file, line, row.size(), columns.size()));
        }
        List<UnaryOperator<LoraConfig>> settings = new ArrayList<>();
        for (Field<?> field : Field.ALL) {
            Integer column = fields.get(field);
            if (column != null) {
                settings.add(readValue(line, field, row.get(column)));
            }
        }
        LoraConfig config = GridSpace.apply(settings);
        requireId(config, row, line);
        return config;
    }

    private UnaryOperator<LoraConfig> readValue(long line, Field<?> field, String value) {
        try {
            return field.parse(value);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "%s: line %d, column %s, value (%s): %s".formatted(file, line, name(field), value, e.getMessage()),
                    e);
        }
    }

    private void requireId(LoraConfig config, CSVRecord row, long line) {
        int column = columns.indexOf(ID);
        if (column >= 0 && !row.get(column).equals(config.id())) {
            throw new IllegalArgumentException(
                    "%s: line %d: id (%s) is not that of the configuration (%s). Maybe the row was edited: then leave out the column id and the results."
                            .formatted(file, line, row.get(column), config.id()));
        }
    }
}
