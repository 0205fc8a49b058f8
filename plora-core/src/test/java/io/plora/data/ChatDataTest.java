package io.plora.data;

import static io.plora.data.TinyModel.CONTEXT;
import static io.plora.data.TinyModel.TOKENIZER;
import static io.plora.data.TinyModel.text;
import static io.plora.data.TinyModel.trained;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.model.ChatTemplate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChatDataTest {
    private static final TextData ONE_QUESTION =
            TextData.examples(List.of(Map.of("q", "Who?", "a", "Me.", "tone", "brief")));

    @TempDir
    private Path folder;

    private static Sample first(TextData data) {
        return data.load(CONTEXT).samples().get(0);
    }

    private TextData messages(String json) throws IOException {
        Path file = Files.writeString(folder.resolve("chats.jsonl"), "{\"messages\": " + json + "}\n");
        return TextData.jsonLines(file).withMessagesField("messages");
    }

    private EncodingContext withTemplate(String template) throws IOException {
        Files.writeString(folder.resolve("chat_template.jinja"), template);
        return new EncodingContext(TOKENIZER, ChatTemplate.open(folder), TinyModel.VOCABULARY, 2048, TooLong.REFUSE);
    }

    @Test
    void questionAndAnswerGoThroughTheChatTemplate() {
        Sample sample = first(ONE_QUESTION.withChat("{q}", "{a}"));

        assertThat(text(sample)).isEqualTo("<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\nMe.<|im_end|>");
        assertThat(trained(sample)).isEqualTo("[Me.<|im_end|>]");
        assertThat(sample.tokens()[sample.length() - 1]).isEqualTo(TinyModel.END_OF_TURN);
    }

    @Test
    void systemMessageComesFirst() {
        assertThat(text(first(ONE_QUESTION.withChat("{q}", "{a}").withSystem("Be {tone}."))))
                .startsWith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n");
    }

    @Test
    void eachTurnOfTheAssistantIsTrained() throws IOException {
        Sample sample = first(messages("""
                [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, \
                {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "See you"}, \
                {"role": "user", "content": "not answered"}]"""));

        assertThat(text(sample))
                .isEqualTo("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n"
                        + "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nSee you<|im_end|>");
        assertThat(trained(sample)).isEqualTo("[Hello<|im_end|>][See you<|im_end|>]");
    }

    @ParameterizedTest
    @CsvSource({"qwen2.5, <|im_end|>", "llama-3.1, <|eot_id|>", "llama-3.2, <|eot_id|>"})
    void turnsAreFoundThroughTheTemplatesOfRealModels(String model, String endOfTurn) throws IOException {
        EncodingContext context = new EncodingContext(
                TOKENIZER,
                ChatTemplate.open(Path.of("src/test/resources/io/plora/model/chat", model)),
                TinyModel.VOCABULARY,
                2048,
                TooLong.REFUSE);

        Sample sample = messages("""
                [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello\\nthere"}, \
                {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "See you"}]""").load(context).samples().get(0);

        assertThat(trained(sample)).isEqualTo("[Hello\nthere%1$s][See you%1$s]".formatted(endOfTurn));
        assertThat(text(sample)).contains("Bye").endsWith("See you" + endOfTurn);
    }

    @Test
    void aConversationKeepsItsOwnSystemMessage() throws IOException {
        TextData data = messages("""
                [{"role": "system", "content": "Own"}, {"role": "assistant", "content": "Hello"}]""");

        assertThat(text(first(data.withSystem("Other"))))
                .startsWith("<|im_start|>system\nOwn<|im_end|>")
                .doesNotContain("Other");
    }

    @Test
    void messagesMayBeJsonTextInAColumn() throws IOException {
        Path file = Files.writeString(
                folder.resolve("chats.tsv"), "chat\n[{\"role\": \"assistant\", \"content\": \"Hello\"}]\n");

        assertThat(trained(first(TextData.tsv(file).withMessagesField("chat")))).isEqualTo("[Hello<|im_end|>]");
    }

    @Test
    void piecesOfARealChatHaveTheTokensOfTheWhole() {
        List<Sample> samples = TextData.jsonLines(TinyModel.GSM8K)
                .withChat("{question}", "{answer}")
                .withLimit(50)
                .load(CONTEXT)
                .samples();

        assertThat(samples).allSatisfy(sample -> assertThat(sample.tokens()).isEqualTo(TOKENIZER.encode(text(sample))));
    }

    @Test
    void whiteSpaceIsTrainedOnlyWhereItEndsTheTurn() throws IOException {
        String plain = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
                + "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";

        Sample sample = ONE_QUESTION
                .withChat("{q}", "{a}")
                .load(withTemplate(plain))
                .samples()
                .get(0);

        assertThat(trained(sample)).isEqualTo("[Me.\n]");
    }

    @Test
    void templateThatRewritesEarlierTurnsIsRefused() throws IOException {
        String lastAnswerMarked = "{% for m in messages %}{{ m['role'] }}:{% if loop.last %}LAST {% endif %}"
                + "{{ m['content'] }};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
        TextData data = messages("""
                [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]""");

        assertThatThrownBy(() -> data.load(withTemplate(lastAnswerMarked)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("chats.jsonl, line (1)", "renders the messages up to (1) otherwise");
    }

    @Test
    void conversationThatTheTemplateRefusesNamesItsLine() throws IOException {
        EncodingContext strict = withTemplate("{{ raise_exception('roles must alternate') }}");

        assertThatThrownBy(() -> ONE_QUESTION.withChat("{q}", "{a}").load(strict))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("examples, example (1): ")
                .hasMessageContaining("chat_template.jinja: the chat template fails: roles must alternate. Maybe")
                .hasMessageEndingWith("expects.");
    }

    @Test
    void modelWithoutAChatTemplateIsRefused() {
        assertThatThrownBy(() -> ONE_QUESTION.withChat("{q}", "{a}").load(TinyModel.WITHOUT_CHAT_TEMPLATE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("has no chat template", "withPrompt");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "7                                        | must be an array of messages",
                "\"[{\"                                   | holds no valid JSON",
                "[]                                       | none of the (0) messages has the role (assistant)",
                "[{\"role\":\"user\",\"content\":\"x\"}]  | none of the (1) messages has the role (assistant)",
                "[{\"from\":\"gpt\",\"value\":\"x\"}]     | message (1) in field (messages) must have a text (role)",
                "[{\"role\":\"assistant\"}]               | must have a text (content)",
                "[{\"role\":\"assistant\",\"content\":\" \"}] | message (1), an answer, is empty"
            })
    void malformedMessagesAreRefused(String json, String message) throws IOException {
        TextData data = messages(json);

        assertThatThrownBy(() -> data.load(CONTEXT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("chats.jsonl, line (1)", message);
    }
}
