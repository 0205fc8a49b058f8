package io.plora.report;

import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.Metric;
import io.plora.Trial;
import io.plora.space.LoraConfig;
import io.plora.space.LoraConfigJson;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A trial as one line of JSON: its id, then the fields of {@link Trial} in snake case, the configuration as {@link
 * LoraConfigJson} has it; paths are relative to the sweep's folder.
 */
final class TrialJson {
    private final ObjectMapper mapper;

    TrialJson(Path folder) {
        SimpleModule module = new SimpleModule()
                .addSerializer(LoraConfig.class, new ConfigWriter())
                .addDeserializer(LoraConfig.class, new ConfigReader())
                .addSerializer(Path.class, new PathWriter(folder))
                .addDeserializer(Path.class, new PathReader(folder));
        mapper = JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .addModule(module)
                .addMixIn(Metric.class, MetricColumn.class)
                .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
                .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                .build();
    }

    String write(Trial trial) throws JsonProcessingException {
        ObjectNode node = mapper.createObjectNode().put("id", trial.id());
        node.setAll(mapper.<ObjectNode>valueToTree(trial));
        return mapper.writeValueAsString(node);
    }

    /**
     * Back from {@link #write}.
     *
     * @throws JsonProcessingException if the line is no JSON or not that of a trial
     * @throws IllegalArgumentException if the id is not that of the configuration
     */
    Trial read(String line) throws JsonProcessingException {
        if (!(mapper.readTree(line) instanceof ObjectNode node)) {
            throw new IllegalArgumentException("The line is not a JSON object.");
        }
        String id = node.path("id").asText();
        node.remove("id");
        Trial trial = mapper.treeToValue(node, Trial.class);
        if (!trial.id().equals(id)) {
            throw new IllegalArgumentException(
                    "The id (%s) does not belong to the configuration, whose id is (%s).".formatted(id, trial.id()));
        }
        return trial;
    }

    private interface MetricColumn {
        @JsonValue
        String column();
    }

    private static final class ConfigWriter extends JsonSerializer<LoraConfig> {
        @Override
        public void serialize(LoraConfig config, JsonGenerator generator, SerializerProvider provider)
                throws IOException {
            generator.writeTree(LoraConfigJson.write(config));
        }
    }

    private static final class ConfigReader extends JsonDeserializer<LoraConfig> {
        @Override
        public LoraConfig deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            return LoraConfigJson.read(context.readTree(parser));
        }
    }

    private static final class PathWriter extends JsonSerializer<Path> {
        private final Path folder;

        private PathWriter(Path folder) {
            this.folder = folder;
        }

        @Override
        public void serialize(Path path, JsonGenerator generator, SerializerProvider provider) throws IOException {
            generator.writeString(OutputPaths.relative(folder, path));
        }
    }

    private static final class PathReader extends JsonDeserializer<Path> {
        private final Path folder;

        private PathReader(Path folder) {
            this.folder = folder;
        }

        @Override
        public Path deserialize(JsonParser parser, DeserializationContext context) throws IOException {
            return folder.resolve(parser.getText());
        }
    }
}
