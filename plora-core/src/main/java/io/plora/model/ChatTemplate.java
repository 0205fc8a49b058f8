package io.plora.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.common.collect.ImmutableMap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Turns a conversation into the text that a chat model was trained on, as transformers' {@code apply_chat_template} does.
 *
 * <p>Some templates (Llama 3.2's) write today's date into the text.
 */
public final class ChatTemplate {
    private static final String FILE = "chat_template.jinja";
    private static final String CONFIG_FILE = "tokenizer_config.json";

    private final Path file;
    private final String source;
    private final SpecialTokens tokens;
    private final JinjaEnvironment environment;

    private ChatTemplate(Path file, String source, SpecialTokens tokens, Clock clock) {
        this.file = file;
        this.source = JinjaWhitespace.resolve(source);
        this.tokens = tokens;
        environment = new JinjaEnvironment(clock);
    }

    /**
     * The template of a model folder: chat_template.jinja, else chat_template of tokenizer_config.json (of several named
     * templates the one called default). Empty where the model has none.
     *
     * @throws ModelFormatException if the file is malformed
     */
    public static Optional<ChatTemplate> open(Path modelFolder) {
        return open(modelFolder, Clock.systemDefaultZone());
    }

    static Optional<ChatTemplate> open(Path modelFolder, Clock clock) {
        SpecialTokens tokens = SpecialTokens.read(modelFolder);
        Path file = modelFolder.resolve(FILE);
        if (Files.exists(file)) {
            return Optional.of(new ChatTemplate(file, readText(file), tokens, clock));
        }
        Path configFile = modelFolder.resolve(CONFIG_FILE);
        return sourceInConfig(configFile).map(source -> new ChatTemplate(configFile, source, tokens, clock));
    }

    private static Optional<String> sourceInConfig(Path configFile) {
        JsonNode template = StrictJson.readObjectIfPresent(configFile).path("chat_template");
        if (template.isMissingNode() || template.isNull()) {
            return Optional.empty();
        }
        if (template.isArray()) {
            for (JsonNode named : template) {
                if (named.path("name").asText().equals("default")) {
                    template = named.path("template");
                }
            }
        }
        if (!template.isTextual()) {
            throw new ModelFormatException(
                    configFile,
                    "chat_template is neither a text nor a list with a template named (default). Maybe put the template into (%s) beside it."
                            .formatted(FILE));
        }
        return Optional.of(template.textValue());
    }

    private static String readText(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: could not be read (%s).".formatted(file, e), e);
        }
    }

    /**
     * The conversation as text.
     *
     * @param addGenerationPrompt whether the text ends with what starts an answer of the assistant
     * @throws IllegalArgumentException if the template does not accept the conversation or is itself wrong
     */
    public String render(List<ChatMessage> messages, boolean addGenerationPrompt) {
        try {
            return environment.render(source, variables(messages, addGenerationPrompt));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "%s: the chat template fails: %s. Maybe the order of the conversation's roles is not what the model expects."
                            .formatted(file, e.getMessage()),
                    e);
        }
    }

    private Map<String, @Nullable Object> variables(List<ChatMessage> messages, boolean addGenerationPrompt) {
        Map<String, @Nullable Object> variables = new HashMap<>();
        variables.put(
                "messages",
                messages.stream()
                        .map(message -> ImmutableMap.of("role", message.role(), "content", message.content()))
                        .toList());
        variables.put("add_generation_prompt", addGenerationPrompt);
        variables.put("bos_token", tokens.beginOfSequence());
        variables.put("eos_token", tokens.endOfSequence());
        return variables;
    }
}
