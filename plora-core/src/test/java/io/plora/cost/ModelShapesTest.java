package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ModelShapesTest {

    @ParameterizedTest
    @CsvSource({
        "Qwen2.5-0.5B, 494032768",
        "Qwen2.5-1.5B, 1543714304",
        "Qwen2.5-3B, 3085938688",
        "Qwen2.5-7B, 7615616512",
        "Qwen2.5-14B, 14770033664",
        "Qwen2.5-32B, 32763876352",
        "Llama-3.2-1B, 1235814400",
        "Llama-3.2-3B, 3212749824",
        "Llama-3.1-8B, 8030261248",
        "Llama-3.1-70B, 70553706496"
    })
    void parametersAreAsManyAsPublished(String name, long parameters) {
        assertThat(MemoryModel.baseParameters(ModelShapes.of(name))).isEqualTo(parameters);
    }

    @Test
    void publisherVariantAndCaseDoNotMatter() {
        ModelConfig shape = ModelShapes.of("Qwen2.5-7B");

        assertThat(ModelShapes.of("Qwen/Qwen2.5-7B-Instruct")).isEqualTo(shape);
        assertThat(ModelShapes.of("qwen2.5-7b")).isEqualTo(shape);
        assertThat(ModelShapes.of("meta-llama/Meta-Llama-3.1-8B-Instruct")).isEqualTo(ModelShapes.of("Llama-3.1-8B"));
    }

    @Test
    void llamasScaleTheirRotaryEmbedding() {
        assertThat(ModelShapes.of("Llama-3.2-1B").rope())
                .isEqualTo(new RopeConfig(500_000, new RopeConfig.Llama3Scaling(32, 1, 4, 8192)));
        assertThat(ModelShapes.of("Qwen2.5-3B").rope()).isEqualTo(new RopeConfig(1_000_000, null));
    }

    @Test
    void unknownModelsAreRefusedWithThoseThatThereAre() {
        assertThatThrownBy(() -> ModelShapes.of("Qwen2.5-8B"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll("(Qwen2.5-8B)", "Qwen2.5-7B", "Llama-3.1-70B", "config.json");
        assertThat(ModelShapes.names()).hasSize(10);
    }
}
