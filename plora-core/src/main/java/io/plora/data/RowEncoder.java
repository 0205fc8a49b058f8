package io.plora.data;

/** Turns a row into a sample. */
sealed interface RowEncoder permits PromptEncoder, ChatEncoder {

    Sample encode(Row row, EncodingContext context);
}
