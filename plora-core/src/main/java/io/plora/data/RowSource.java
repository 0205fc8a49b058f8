package io.plora.data;

import java.util.stream.Stream;

/** Rows of a file or of memory, read one at a time. */
interface RowSource {

    /** For messages: the file's path. */
    String name();

    /** Reads from the start; the stream must be closed. */
    Stream<Row> open();
}
