package io.plora.data;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Rows of text with named fields, turned into samples by templates. Loss is on the answer only.
 *
 * <pre>{@code
 * // plain prompts; the space before the answer belongs to the answer
 * TextData.jsonLines(Path.of("gsm8k/train.jsonl"))
 *         .withPrompt("Question: {question}\nAnswer:")
 *         .withAnswer(" {answer}");
 *
 * // through the model's own chat template
 * TextData.csv(Path.of("faq.csv")).withChat("{question}", "{answer}").withSystem("Answer briefly.");
 * TextData.jsonLines(Path.of("chats.jsonl")).withMessagesField("messages");
 *
 * // a classification task in CoLA's layout, to train on and to evaluate
 * TextData.tsv(Path.of("cola.tsv"), "source", "label", "mark", "sentence")
 *         .withPrompt("{sentence}\nIs this acceptable?")
 *         .asChoices("label")
 *         .withCandidate("0", " no")
 *         .withCandidate("1", " yes");
 * }</pre>
 *
 * <p>In templates {@code {name}} stands for a field, and a doubled brace for a brace. Prompt and answer are encoded
 * separately; the answer and the end-of-sequence token after it are trained. A token that begins a sequence is put before a
 * plain prompt where the model's tokenizer does so.
 *
 * <p>Files are UTF-8, with or without a byte order mark; blank lines are passed over. Immutable: each {@code with} method
 * returns changed data.
 */
public final class TextData implements TrainingData {
    private final RowSource rows;
    private final @Nullable RowEncoder encoder;
    private final long limit;
    private final int maxLength;
    private final @Nullable TooLong tooLong;

    private TextData(
            RowSource rows, @Nullable RowEncoder encoder, long limit, int maxLength, @Nullable TooLong tooLong) {
        this.rows = rows;
        this.encoder = encoder;
        this.limit = limit;
        this.maxLength = maxLength;
        this.tooLong = tooLong;
    }

    private static TextData of(RowSource rows) {
        return new TextData(rows, null, Long.MAX_VALUE, Integer.MAX_VALUE, null);
    }

    /** A file with one JSON object a line. */
    public static TextData jsonLines(Path file) {
        return of(new JsonLines(file));
    }

    /**
     * A file of tab-separated columns; quotes are plain characters.
     *
     * @param columns names of the columns of a file without a header row; if none are given, the first row has them
     */
    public static TextData tsv(Path file, String... columns) {
        return of(new DelimitedText(file, DelimitedText.TSV, List.of(columns)));
    }

    /**
     * A file of comma-separated columns as in RFC 4180.
     *
     * @param columns names of the columns of a file without a header row; if none are given, the first row has them
     */
    public static TextData csv(Path file, String... columns) {
        return of(new DelimitedText(file, DelimitedText.CSV, List.of(columns)));
    }

    /** Rows in memory: fields by name. */
    public static TextData examples(List<? extends Map<String, String>> examples) {
        return of(new ExampleRows(examples));
    }

    /** What the model is given, as plain text; nothing by default, for data that are answers only. */
    public TextData withPrompt(String template) {
        return withEncoder(
                new PromptEncoder(new Template(template), promptEncoder().answer()));
    }

    /** What the model is trained to answer, as plain text. */
    public TextData withAnswer(String template) {
        return withEncoder(new PromptEncoder(promptEncoder().prompt(), new Template(template)));
    }

    /** A question of the user and an answer of the assistant, through the model's chat template. */
    public TextData withChat(String user, String assistant) {
        return withConversation(Conversation.ofTemplates(new Template(user), new Template(assistant)));
    }

    /**
     * Whole conversations, through the model's chat template; each turn of the assistant is trained.
     *
     * @param field holds an array of objects with the texts {@code role} and {@code content}, or the JSON text of one
     */
    public TextData withMessagesField(String field) {
        return withConversation(Conversation.ofField(field));
    }

    /** A system message for conversations that have none; comes after {@link #withChat} or {@link #withMessagesField}. */
    public TextData withSystem(String template) {
        if (encoder instanceof ChatEncoder chat) {
            return withEncoder(new ChatEncoder(chat.conversation().withSystem(new Template(template))));
        }
        throw new IllegalStateException(
                "%s: withSystem (%s) must come after withChat or withMessagesField.".formatted(rows.name(), template));
    }

    /** The first rows only. */
    public TextData withLimit(long rows) {
        if (rows < 1) {
            throw new IllegalArgumentException("limit (%d) must be at least 1.".formatted(rows));
        }
        return new TextData(this.rows, encoder, rows, maxLength, tooLong);
    }

    /** Longest length of a sample in tokens, if it shall be shorter than the sweep's. */
    public TextData withMaxLength(int maxLength) {
        return new TextData(rows, encoder, limit, maxLength, tooLong);
    }

    /** What becomes of longer samples, if it shall be otherwise than the sweep's choice. */
    public TextData withLongSamples(TooLong tooLong) {
        return new TextData(rows, encoder, limit, maxLength, tooLong);
    }

    /**
     * A choice among candidate answers to the prompt.
     *
     * @param labelField field that names the right candidate
     */
    public ChoiceData asChoices(String labelField) {
        return new ChoiceData(this, labelField);
    }

    @Override
    public Dataset load(EncodingContext context) {
        if (encoder == null) {
            throw new IllegalStateException(
                    "%s: no template. Maybe add withPrompt and withAnswer, withChat or withMessagesField."
                            .formatted(rows.name()));
        }
        EncodingContext own = restrict(context);
        SampleCollector samples = new SampleCollector(rows.name(), own);
        try (Stream<Row> open = open()) {
            open.forEachOrdered(row -> samples.add(row.position(), encoder.encode(row, own)));
        }
        return samples.finish();
    }

    String name() {
        return rows.name();
    }

    /** Rows up to the limit; must be closed. */
    Stream<Row> open() {
        return rows.open().limit(limit);
    }

    /** The context with what these data ask for themselves. */
    EncodingContext restrict(EncodingContext context) {
        EncodingContext shorter = context.withMaxLength(maxLength);
        return tooLong == null ? shorter : shorter.withTooLong(tooLong);
    }

    /** The templates of a plain prompt, empty if none was set yet. */
    PromptEncoder promptEncoder() {
        if (encoder == null) {
            return new PromptEncoder(new Template(""), null);
        }
        if (encoder instanceof PromptEncoder plain) {
            return plain;
        }
        throw new IllegalStateException("%s: a plain prompt and a chat cannot be combined.".formatted(rows.name()));
    }

    private TextData withConversation(Conversation conversation) {
        if (encoder != null) {
            throw new IllegalStateException(
                    "%s: the templates are set already; choose one of withPrompt and withAnswer, withChat, and withMessagesField."
                            .formatted(rows.name()));
        }
        return withEncoder(new ChatEncoder(conversation));
    }

    private TextData withEncoder(RowEncoder encoder) {
        return new TextData(rows, encoder, limit, maxLength, tooLong);
    }
}
