package io.plora.data;

import static io.plora.data.Conversation.ASSISTANT;

import io.plora.model.ChatMessage;
import io.plora.model.ChatTemplate;
import java.util.List;

/**
 * A conversation through the model's own chat template; the assistant's turns are trained.
 *
 * <p>A turn lies between two renderings: the messages before it with a generation prompt, and the messages up to it. Both
 * must begin the rendering of the whole, or the model would be trained on other text than it later sees. Trained are the
 * turn's content and what ends it, such as {@code <|im_end|>}, but not white space after that, which no model has to
 * generate; white space that is itself the end of a turn is trained.
 *
 * <p>The text is cut where trained and other parts meet and each piece is encoded by itself: at these places the text of
 * a chat is cut at inference, too, where the generation prompt is encoded without the answer. What follows the last turn
 * of the assistant cannot change the loss and is left out.
 */
record ChatEncoder(Conversation conversation) implements RowEncoder {

    @Override
    public Sample encode(Row row, EncodingContext context) {
        ChatTemplate template = context.chatTemplate()
                .orElseThrow(() -> new IllegalArgumentException(
                        "%s: chat data, but the model has no chat template. Maybe use withPrompt and withAnswer, or the model's instruction-tuned version."
                                .formatted(row.source())));
        List<ChatMessage> messages = throughLastAssistant(row);
        String whole = render(template, row, messages, false);
        TokenSequence tokens = new TokenSequence();
        int done = 0;
        for (int i = 0; i < messages.size(); i++) {
            if (messages.get(i).role().equals(ASSISTANT)) {
                Turn turn = turn(template, row, messages, i, whole, done);
                tokens.add(context.tokenizer().encode(whole.substring(done, turn.start())), false)
                        .add(context.tokenizer().encode(whole.substring(turn.start(), turn.end())), true);
                done = turn.end();
            }
        }
        return tokens.toSample();
    }

    /** Where the trained part of a turn lies in the rendering of the whole conversation. */
    private record Turn(int start, int end) {}

    private static Turn turn(
            ChatTemplate template, Row row, List<ChatMessage> messages, int index, String whole, int done) {
        String before = render(template, row, messages.subList(0, index), true);
        String through = render(template, row, messages.subList(0, index + 1), false);
        if (before.length() < done || !through.startsWith(before) || !whole.startsWith(through)) {
            throw row.error(
                    "the chat template renders the messages up to (%d) otherwise at the end of a conversation than within one, so the assistant's turn cannot be found. Maybe split the conversation into rows with one answer each"
                            .formatted(index + 1));
        }
        String trained = trainedPart(through.substring(before.length()), content(row, messages, index));
        return new Turn(before.length(), before.length() + trained.length());
    }

    private List<ChatMessage> throughLastAssistant(Row row) {
        List<ChatMessage> messages = conversation.of(row);
        for (int i = messages.size(); i > 0; i--) {
            if (messages.get(i - 1).role().equals(ASSISTANT)) {
                return messages.subList(0, i);
            }
        }
        throw row.error("none of the (%d) messages has the role (%s)".formatted(messages.size(), ASSISTANT));
    }

    private static String content(Row row, List<ChatMessage> messages, int index) {
        String content = messages.get(index).content().strip();
        if (content.isEmpty()) {
            throw row.error("message (%d), an answer, is empty".formatted(index + 1));
        }
        return content;
    }

    private static String trainedPart(String turn, String content) {
        String stripped = turn.stripTrailing();
        return stripped.endsWith(content) ? turn : stripped;
    }

    private static String render(
            ChatTemplate template, Row row, List<ChatMessage> messages, boolean addGenerationPrompt) {
        try {
            return template.render(messages, addGenerationPrompt);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("%s: %s".formatted(row.where(), e.getMessage()), e);
        }
    }
}
