package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.model.RopeConfig.Llama3Scaling;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigTest {
    private static final String LLAMA3_SCALING = """
            {"%s": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
             "original_max_position_embeddings": 8192%s}
            """;

    @TempDir
    private Path folder;

    private ModelFolder model;

    @BeforeEach
    void llama() {
        model = new ModelFolder(folder);
    }

    @Test
    void readsTheBundledModel() {
        assertThat(ModelConfig.read(Path.of("../plora-examples/models/tiny-qwen2")))
                .isEqualTo(new ModelConfig(
                        "qwen2", 128, 352, 4, 4, 2, 32, 4096, 1e-6, new RopeConfig(10000, null), true, true, 2048));
    }

    @Test
    void readsTheOlderGeneration() {
        set("rope_scaling", LLAMA3_SCALING.formatted("rope_type", ""));
        assertThat(read())
                .isEqualTo(new ModelConfig(
                        "llama",
                        48,
                        40,
                        2,
                        3,
                        1,
                        32,
                        50,
                        1e-5,
                        new RopeConfig(500000, new Llama3Scaling(8, 1, 4, 8192)),
                        false,
                        false,
                        64));
    }

    @Test
    void readsTheNewerGeneration() {
        model.config().remove("rope_theta");
        model.config().remove("torch_dtype");
        set("dtype", "\"bfloat16\"");
        set("rope_parameters", LLAMA3_SCALING.formatted("rope_type", ", \"rope_theta\": 1e6"));
        assertThat(read().rope()).isEqualTo(new RopeConfig(1e6, new Llama3Scaling(8, 1, 4, 8192)));
    }

    @Test
    void readsTheRopeTypeUnderItsOldestName() {
        set("rope_scaling", LLAMA3_SCALING.formatted("type", ""));
        assertThat(read().rope().scaling()).isEqualTo(new Llama3Scaling(8, 1, 4, 8192));
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "{}", "{\"rope_type\": \"default\"}"})
    void noScalingIsNoScaling(String scaling) {
        set("rope_scaling", scaling);
        assertThat(read().rope()).isEqualTo(new RopeConfig(500000, null));
    }

    @Test
    void takesTransformersDefaultsForWhatIsNotSaid() {
        model.config()
                .retain(
                        "model_type",
                        "hidden_size",
                        "intermediate_size",
                        "num_hidden_layers",
                        "num_attention_heads",
                        "vocab_size",
                        "max_position_embeddings");
        set("num_attention_heads", "1");
        assertThat(read())
                .isEqualTo(new ModelConfig(
                        "llama", 48, 40, 2, 1, 1, 48, 50, 1e-6, new RopeConfig(10000, null), false, false, 64));
    }

    @Test
    void attentionBiasOfLlamaCoversTheOutputToo() {
        set("attention_bias", "true");
        ModelConfig config = read();
        assertThat(config.qkvBias()).isTrue();
        assertThat(config.outputBias()).isTrue();
    }

    @Test
    void qwen2AlwaysHasBiasesButNotAtTheOutput() {
        set("model_type", "\"qwen2\"");
        set("architectures", "[\"Qwen2ForCausalLM\"]");
        ModelConfig config = read();
        assertThat(config.qkvBias()).isTrue();
        assertThat(config.outputBias()).isFalse();
    }

    @Test
    void modulesHaveTheShapesOfTheirWeights() {
        ModelConfig config = read();
        assertThat(config.outputs(TargetModule.Q_PROJ)).isEqualTo(96);
        assertThat(config.outputs(TargetModule.K_PROJ)).isEqualTo(32);
        assertThat(config.inputs(TargetModule.O_PROJ)).isEqualTo(96);
        assertThat(config.inputs(TargetModule.DOWN_PROJ)).isEqualTo(40);
    }

    @Test
    void aSlidingWindowThatNoLayerUsesIsFine() {
        set("sliding_window", "4096");
        set("use_sliding_window", "false");
        assertThat(read().layers()).isEqualTo(2);
        set("use_sliding_window", "true");
        set("max_window_layers", "2");
        assertThat(read().layers()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "model_type | \"gpt2\" | (gpt2)",
                "model_type | null | model_type",
                "architectures | [\"LlamaForSequenceClassification\"] | LlamaForSequenceClassification",
                "architectures | [\"Qwen2ForCausalLM\"] | Qwen2ForCausalLM",
                "hidden_size | null | hidden_size (null)",
                "hidden_size | 0 | hidden_size (0)",
                "hidden_size | 1.5 | hidden_size (1.5)",
                "vocab_size | \"50\" | vocab_size (\"50\")",
                "num_hidden_layers | -1 | num_hidden_layers (-1)",
                "num_key_value_heads | 2 | num_key_value_heads (2)",
                "head_dim | 33 | head size (33)",
                "head_dim | 16 | head size (16)",
                "head_dim | 256 | head size (256)",
                "head_dim | null | head size (16)",
                "rms_norm_eps | 0 | rms_norm_eps (0)",
                "rope_theta | -1 | rope_theta (-1)",
                "tie_word_embeddings | 1 | tie_word_embeddings (1)",
                "mlp_bias | true | mlp_bias (true)",
                "hidden_act | \"gelu\" | hidden_act (gelu)",
                "layer_types | [\"full_attention\", \"sliding_attention\"] | sliding_attention",
                "quantization_config | {\"quant_method\": \"gptq\"} | (gptq)",
                "rope_scaling | {\"type\": \"linear\", \"factor\": 2.0} | rope type (linear)",
                "rope_scaling | {\"rope_type\": \"yarn\", \"factor\": 4.0} | rope type (yarn)",
                "rope_parameters | {\"rope_type\": \"dynamic\", \"rope_theta\": 1e4} | rope type (dynamic)",
                "rope_parameters | {\"rope_type\": \"longrope\", \"rope_theta\": 1e4} | rope type (longrope)",
                "rope_scaling | {\"rope_type\": \"llama3\"} | low_freq_factor",
                "partial_rotary_factor | 0.5 | partial_rotary_factor (0.5)",
                "rope_parameters | {\"partial_rotary_factor\": 0.25} | partial_rotary_factor (0.25)"
            })
    void whatIsNotSupportedIsRefusedWithFileAndValue(String name, String value, String named) {
        set(name, value);
        assertThatThrownBy(this::read)
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("config.json").toString())
                .hasMessageContaining(named);
    }

    @Test
    void aSlidingWindowInUseIsRefused() {
        set("sliding_window", "4096");
        set("use_sliding_window", "true");
        assertThatThrownBy(this::read)
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("sliding_window (4096)");
    }

    @Test
    void aMissingFileIsRefused() {
        assertThatThrownBy(() -> ModelConfig.read(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("config.json").toString());
    }

    @Test
    void aFileThatIsNoJsonIsRefusedWithItsLine() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{\n\"model_type\": llama}");
        assertThatThrownBy(() -> ModelConfig.read(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("config.json").toString())
                .hasMessageContaining("line (2)");
    }

    private ModelConfig read() {
        model.writeConfig();
        return ModelConfig.read(folder);
    }

    private void set(String name, String json) {
        try {
            model.config().set(name, new ObjectMapper().readTree(json));
        } catch (JsonProcessingException e) {
            throw new AssertionError(e);
        }
    }
}
