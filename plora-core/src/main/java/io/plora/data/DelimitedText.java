package io.plora.data;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.base.CharMatcher;
import com.google.common.collect.AbstractIterator;
import com.google.common.collect.Streams;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;
import org.jspecify.annotations.Nullable;

/**
 * A file of rows with delimited columns; blank lines are passed over.
 *
 * @param columns their names; if empty, the first row has them
 */
record DelimitedText(Path file, CSVFormat format, List<String> columns) implements RowSource {
    /** RFC 4180: fields may be quoted, and then hold commas, quotes and line breaks. */
    static final CSVFormat CSV =
            CSVFormat.RFC4180.builder().setIgnoreEmptyLines(true).build();
    /** Quotes are plain characters. */
    static final CSVFormat TSV = CSV.builder().setDelimiter('\t').setQuote(null).build();

    DelimitedText {
        columns = List.copyOf(columns);
        checkNames(file, columns);
    }

    private static void checkNames(Path file, List<String> names) {
        if (names.stream().anyMatch(String::isBlank) || new HashSet<>(names).size() < names.size()) {
            throw new IllegalArgumentException(
                    "%s: the column names %s must be different and not blank. Maybe the file has no header row: then name its columns."
                            .formatted(file, names));
        }
    }

    @Override
    public String name() {
        return file.toString();
    }

    @Override
    public Stream<Row> open() {
        Utf8Lines lines = new Utf8Lines(file);
        return Streams.stream(new Rows(lines)).onClose(lines::close);
    }

    /** One reading of the file. */
    private final class Rows extends AbstractIterator<Row> {
        private final CSVParser parser;
        private final Iterator<CSVRecord> records;
        private List<String> names = columns;

        private Rows(Utf8Lines lines) {
            try {
                parser = CSVParser.parse(lines.asReader(), format);
            } catch (IOException e) {
                throw Utf8Lines.unreadable(file, e);
            }
            records = parser.iterator();
        }

        @Override
        protected @Nullable Row computeNext() {
            CSVRecord record = nextRecord();
            if (record != null && names.isEmpty()) {
                names = record.toList();
                checkNames(file, names);
                record = nextRecord();
            }
            return record == null ? endOfData() : row(record);
        }

        private @Nullable CSVRecord nextRecord() {
            try {
                while (records.hasNext()) {
                    CSVRecord record = records.next();
                    if (record.size() > 1 || !record.get(0).isBlank()) {
                        return record;
                    }
                }
                return null;
            } catch (Utf8Lines.Unreadable e) {
                throw e;
            } catch (UncheckedIOException e) {
                throw new IllegalArgumentException(
                        "%s: malformed at or after line (%d): %s. Maybe a quote is not closed or not doubled."
                                .formatted(
                                        file,
                                        parser.getCurrentLineNumber(),
                                        e.getCause().getMessage()),
                        e);
            }
        }

        private Row row(CSVRecord record) {
            ObjectNode fields = JsonNodeFactory.instance.objectNode();
            Row row = new Row(name(), "line (%d)".formatted(firstLine(record)), fields);
            if (record.size() != names.size()) {
                throw row.error("has (%d) columns instead of the (%d) named %s. Maybe the delimiter is another one"
                        .formatted(record.size(), names.size(), names));
            }
            for (int i = 0; i < names.size(); i++) {
                fields.put(names.get(i), record.get(i));
            }
            return row;
        }

        /** The parser stands at the last line of the record it has just read. */
        private long firstLine(CSVRecord record) {
            CharMatcher lineBreak = CharMatcher.is('\n');
            return parser.getCurrentLineNumber()
                    - record.stream().mapToLong(lineBreak::countIn).sum();
        }
    }
}
