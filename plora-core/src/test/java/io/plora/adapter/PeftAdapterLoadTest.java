package io.plora.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.kernels.DType;
import io.plora.model.ModelFormatException;
import io.plora.model.SafetensorsWriter;
import io.plora.model.StrictJson;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters as PEFT writes them, and what can be wrong with one. */
class PeftAdapterLoadTest {

    /** As PEFT 0.21 writes it. */
    private static final String PEFT_CONFIG = """
            {
              "alora_invocation_tokens": null, "alpha_pattern": {}, "arrow_config": null, "auto_mapping": null,
              "base_model_name_or_path": "tiny", "bias": "none", "corda_config": null,
              "ensure_weight_tying": false, "eva_config": null, "exclude_modules": null, "fan_in_fan_out": false,
              "inference_mode": true, "init_lora_weights": true, "kasa_config": null, "layer_replication": null,
              "layers_pattern": null, "layers_to_transform": null, "loftq_config": {}, "lora_alpha": 16,
              "lora_bias": false, "lora_dropout": 0.1, "lora_ga_config": null, "megatron_config": null,
              "megatron_core": "megatron.core", "modules_to_save": null, "monteclora_config": null,
              "peft_type": "LORA", "peft_version": "0.21.0", "qalora_group_size": 16, "r": 2, "rank_pattern": {},
              "revision": null, "target_modules": ["v_proj", "q_proj"], "target_parameters": null,
              "task_type": "CAUSAL_LM", "trainable_token_indices": null, "use_bdlora": null, "use_dora": false,
              "use_qalora": false, "use_rslora": false, "velora_config": null
            }""";

    @TempDir
    private Path folder;

    private Path configFile;
    private Path weightsFile;
    private ObjectNode config;

    @BeforeEach
    void writePeftsAdapter() throws IOException {
        configFile = folder.resolve("adapter_config.json");
        weightsFile = folder.resolve("adapter_model.safetensors");
        config = (ObjectNode) new ObjectMapper().readTree(PEFT_CONFIG);
        StrictJson.writeObject(configFile, config);
        weights(2, 2).write(weightsFile);
    }

    @Test
    void readsAnAdapterOfPeftsOwn() {
        PeftAdapter adapter = PeftAdapter.load(folder);
        assertThat(adapter.config())
                .isEqualTo(LoraConfig.builder()
                        .withRank(2)
                        .withAlpha(16)
                        .withDropout(0.1)
                        .withTargetModules(EnumSet.of(TargetModule.Q_PROJ, TargetModule.V_PROJ))
                        .build());
        assertThat(adapter.baseModel()).isEqualTo("tiny");
        assertThat(adapter.layers()).isEqualTo(2);
        LoraMatrices matrices = adapter.modules().get(new ModuleKey(1, TargetModule.V_PROJ));
        assertThat(matrices.inputs()).isEqualTo(3);
        assertThat(matrices.outputs()).isEqualTo(4);
        assertThat(matrices.a()).hasSize(6).containsOnly(0.5f);
    }

    @Test
    void fieldsThatPeftLeavesOutHaveDefaults() {
        config.retain("peft_type", "r", "lora_alpha", "target_modules");
        StrictJson.writeObject(configFile, config);
        assertThat(PeftAdapter.load(folder).config().dropout()).isZero();
        assertThat(PeftAdapter.load(folder).baseModel()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "peft_type            | \"LOHA\"              | must be LORA",
                "peft_type            | null                  | must be LORA",
                "task_type            | \"SEQ_CLS\"           | must be CAUSAL_LM",
                "bias                 | \"lora_only\"         | must be none",
                "use_dora             | true                  | is not supported",
                "modules_to_save      | [\"lm_head\"]         | is not supported",
                "rank_pattern         | {\"q_proj\": 4}       | is not supported",
                "alpha_pattern        | {\"q_proj\": 4}       | is not supported",
                "layers_to_transform  | [0]                   | is not supported",
                "layers_to_transform  | 0                     | is not supported",
                "fan_in_fan_out       | true                  | is not supported",
                "kasa_config          | {\"beta\": 0.1}        | is not supported",
                "lora_bias            | true                  | is not supported",
                "init_lora_weights    | \"pissa_niter_16\"    | is not supported",
                "target_modules       | \".*_proj\"           | must be a list of module names",
                "target_modules       | [\"q_proj\", \"wte\"] | Unknown target module (wte)",
                "target_modules       | []                    | targetModules ([]) must be at least one module",
                "r                    | 0                     | rank (0) must be from 1 to 256",
                "r                    | 2.5                   | must be a whole number",
                "r                    | \"2\"                 | must be a whole number",
                "lora_alpha           | \"x\"                 | must be a number",
                "lora_alpha           | -1                    | alpha (-1.0) must be positive",
                "lora_dropout         | null                  | must be a number",
                "use_rslora           | 1                     | must be true or false",
            })
    void whatCannotBeRunIsRefused(String field, String value, String problem) throws IOException {
        config.set(field, new ObjectMapper().readTree(value));
        StrictJson.writeObject(configFile, config);
        assertLoadingFails(configFile, problem);
    }

    @ParameterizedTest
    @ValueSource(strings = {"peft_type", "r", "lora_alpha", "target_modules"})
    void aMissingFieldIsNamed(String field) {
        config.remove(field);
        StrictJson.writeObject(configFile, config);
        assertLoadingFails(configFile, field + " (missing) must be");
    }

    @Test
    void aMissingFolderIsNamed() {
        assertThatThrownBy(() -> PeftAdapter.load(folder.resolve("nowhere")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("nowhere") + ": there is no such folder");
    }

    @Test
    void aMissingFileIsNamed() throws IOException {
        Files.delete(weightsFile);
        assertLoadingFails(weightsFile, "there is no such file");
        Files.delete(configFile);
        assertLoadingFails(configFile, "there is no such file");
    }

    @Test
    void aTruncatedFileIsNamed() throws IOException {
        byte[] weights = Files.readAllBytes(weightsFile);
        Files.write(weightsFile, Arrays.copyOf(weights, weights.length - 3));
        assertLoadingFails(weightsFile, "truncated: (3) of");
        Files.writeString(configFile, PEFT_CONFIG.substring(0, 300));
        assertLoadingFails(configFile, "no valid JSON at line");
    }

    @Test
    void aMissingTensorIsNamed() {
        weights(1, 2)
                .withTensor(name(1, "q_proj", "A"), new TensorInfo(DType.F32, 2, 3), TensorData.of(new float[6]))
                .write(weightsFile);
        assertLoadingFails(weightsFile, "module (model.layers.1.self_attn.q_proj) needs (");
    }

    @Test
    void anUnknownTensorIsNamed() {
        weights(2, 2)
                .withTensor(
                        "base_model.model.lm_head.weight", new TensorInfo(DType.F32, 1), TensorData.of(new float[1]))
                .write(weightsFile);
        assertLoadingFails(weightsFile, "Among the tensors that are there is (base_model.model.lm_head.weight).");
    }

    @Test
    void shapesMustFitTheRank() {
        weights(2, 3).write(weightsFile);
        assertLoadingFails(weightsFile, "A of shape ([3, 3]) and B of shape ([4, 3]); rank (2) needs");
    }

    @Test
    void valuesThatAreNoNumbersOfOursAreRefused() {
        SafetensorsWriter writer = weights(1, 2);
        writer.withTensor(name(1, "q_proj", "A"), new TensorInfo(DType.F32, 6), TensorData.of(new float[6]))
                .withTensor(name(1, "q_proj", "B"), new TensorInfo(DType.F32, 4, 2), TensorData.of(new float[8]))
                .write(weightsFile);
        assertLoadingFails(weightsFile, "A of shape ([6])");
    }

    @Test
    void ourConfigurationMustAgreeWithPefts() throws IOException {
        Files.delete(configFile);
        Files.delete(weightsFile);
        RandomAdapters.create(LoraConfig.builder().withRank(2).build(), 1).save(folder);
        config.put("lora_alpha", 17);
        StrictJson.writeObject(configFile, config);
        assertLoadingFails(folder.resolve("plora.json"), "is not that of (adapter_config.json)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"config\": {\"rank\": 2}}", "{\"config\":"})
    void ourConfigurationMustBeWhole(String json) throws IOException {
        Path ours = Files.writeString(folder.resolve("plora.json"), json);
        assertLoadingFails(ours, "");
    }

    private void assertLoadingFails(Path file, String problem) {
        assertThatThrownBy(() -> PeftAdapter.load(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file + ": ")
                .hasMessageContaining(problem);
    }

    /** A [rank, 3] in BF16, as a model in BF16 may have been trained, and B [4, rank] in F32; q_proj and v_proj. */
    private static SafetensorsWriter weights(int layers, int rank) {
        SafetensorsWriter writer = new SafetensorsWriter();
        byte[] halves = new byte[rank * 3 * 2];
        for (int i = 1; i < halves.length; i += 2) {
            halves[i] = 0x3F; // 0x3F00 is 0.5
        }
        for (int layer = 0; layer < layers; layer++) {
            for (String module : new String[] {"q_proj", "v_proj"}) {
                writer.withTensor(
                        name(layer, module, "A"),
                        new TensorInfo(DType.BF16, rank, 3),
                        TensorData.of(ByteBuffer.wrap(halves)));
                writer.withTensor(
                        name(layer, module, "B"),
                        new TensorInfo(DType.F32, 4, rank),
                        TensorData.of(new float[4 * rank]));
            }
        }
        return writer;
    }

    private static String name(int layer, String module, String matrix) {
        return "base_model.model.model.layers.%d.self_attn.%s.lora_%s.weight".formatted(layer, module, matrix);
    }
}
