package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatTemplateTest {
    private static final Path CHAT = Path.of("src/test/resources/io/plora/model/chat");
    private static final Path BUNDLED = Path.of("../plora-examples/models");
    private static final List<ChatMessage> HELLO = List.of(new ChatMessage("user", "Hello"));

    @TempDir
    private Path folder;

    /** Expected texts come from src/test/python/render_chat_templates.py. */
    static Stream<Arguments> renderings() throws IOException {
        ObjectMapper mapper = new ObjectMapper();
        JsonNode expected = mapper.readTree(CHAT.resolve("expected.json").toFile());
        JsonNode conversations =
                mapper.readTree(CHAT.resolve("conversations.json").toFile());
        LocalDate today = LocalDate.parse(expected.path("today").textValue());
        Clock clock = Clock.fixed(today.atTime(12, 0).toInstant(ZoneOffset.UTC), ZoneOffset.UTC);
        return StreamSupport.stream(expected.path("renderings").spliterator(), false)
                .map(rendering -> Arguments.of(
                        rendering.path("template").textValue(),
                        rendering.path("conversation").textValue(),
                        rendering.path("add_generation_prompt").booleanValue(),
                        messages(conversations, rendering.path("conversation").textValue()),
                        clock,
                        rendering));
    }

    private static List<ChatMessage> messages(JsonNode conversations, String name) {
        return StreamSupport.stream(conversations.spliterator(), false)
                .filter(conversation -> conversation.path("name").textValue().equals(name))
                .flatMap(conversation ->
                        StreamSupport.stream(conversation.path("messages").spliterator(), false))
                .map(message -> new ChatMessage(
                        message.path("role").textValue(),
                        message.path("content").textValue()))
                .toList();
    }

    @ParameterizedTest(name = "{0}, {1}, generation prompt {2}")
    @MethodSource("renderings")
    void rendersAsTransformersDoes(
            String template,
            String conversation,
            boolean addGenerationPrompt,
            List<ChatMessage> messages,
            Clock clock,
            JsonNode expected) {
        Path model = Files.isDirectory(CHAT.resolve(template)) ? CHAT.resolve(template) : BUNDLED.resolve(template);
        ChatTemplate chat = ChatTemplate.open(model, clock).orElseThrow();
        if (expected.has("error")) {
            assertThatThrownBy(() -> chat.render(messages, addGenerationPrompt))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(expected.path("error").textValue());
        } else {
            assertThat(chat.render(messages, addGenerationPrompt))
                    .isEqualTo(expected.path("text").textValue());
        }
    }

    @Test
    void aFolderWithoutTemplateHasNone() throws IOException {
        assertThat(ChatTemplate.open(folder)).isEmpty();
        write("tokenizer_config.json", "{\"chat_template\": null}");
        assertThat(ChatTemplate.open(folder)).isEmpty();
    }

    @Test
    void theDefaultOfSeveralNamedTemplatesIsUsed() throws IOException {
        write("tokenizer_config.json", """
                {"chat_template": [{"name": "rag", "template": "no"}, {"name": "default", "template": "yes"}]}
                """);
        assertThat(render()).isEqualTo("yes");
    }

    @Test
    void theTemplateFileComesBeforeTheConfig() throws IOException {
        write("tokenizer_config.json", "{\"chat_template\": \"config\"}");
        write("chat_template.jinja", "file");
        assertThat(render()).isEqualTo("file");
    }

    @ParameterizedTest
    @ValueSource(strings = {"3", "[]", "[{\"name\": \"rag\", \"template\": \"x\"}]", "{\"default\": \"x\"}"})
    void aTemplateThatIsNoTextIsRefused(String template) throws IOException {
        write("tokenizer_config.json", "{\"chat_template\": " + template + "}");
        assertThatThrownBy(() -> ChatTemplate.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("tokenizer_config.json").toString())
                .hasMessageContaining("chat_template");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{{ messages[0 }}",
                "{% if messages %}",
                "{% for message in messages %}x",
                "{{ messages | no_such_filter }}",
                "{% if messages is no_such_test %}{% endif %}",
                "{{ no_such_function(messages) }}",
                "{% no_such_tag %}",
                "{{ messages[0].content.no_such_method() }}",
                "{{ raise_exception('Only one message, please.') }}"
            })
    void aTemplateThatFailsGivesOneErrorThatNamesTheFile(String template) throws IOException {
        write("chat_template.jinja", template);
        assertThatThrownBy(this::render)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(folder.resolve("chat_template.jinja").toString())
                .hasMessageNotContaining("fails: null");
    }

    @ParameterizedTest
    @MethodSource
    void whitespaceFollowsJinja(String template, String expected) throws IOException {
        write("chat_template.jinja", template);
        assertThat(render()).isEqualTo(expected);
    }

    static Stream<Arguments> whitespaceFollowsJinja() {
        return Stream.of(
                Arguments.of("a\n", "a"),
                Arguments.of("a\n\n", "a\n"),
                Arguments.of("a\r\nb\r", "a\nb"),
                Arguments.of("a {% if true %} b {% endif %} c", "a  b  c"),
                Arguments.of("a\n  {% if true %}\nb\n  {% endif %}\nc", "a\nb\nc"),
                Arguments.of("a\n  {%+ if true +%}\nb{% endif %}", "a\n  \nb"),
                Arguments.of("a\n {%- if true -%} \n b {%- endif %}", "ab"),
                Arguments.of("a {#- '%} {{ -#} b", "ab"),
                Arguments.of("  {# comment #}\nb", "b"),
                Arguments.of("  {{ 'a' }}\n", "  a"),
                Arguments.of("{{ '}} %} {%- x' }}", "}} %} {%- x"),
                Arguments.of("{{ \"it's \\\"}}\\\"\" }}", "it's \"}}\""),
                Arguments.of("{{ {'a': 'b'}['a'] }}", "b"),
                Arguments.of("{{-1}}", "1"),
                Arguments.of("{{ -1 }}", "-1"),
                Arguments.of("{% raw %}{{ x }} {%- y %}{% endraw %}", "{{ x }} {%- y %}"));
    }

    private String render() {
        return ChatTemplate.open(folder).orElseThrow().render(HELLO, false);
    }

    private void write(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }
}
