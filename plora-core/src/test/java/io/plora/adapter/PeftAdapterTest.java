package io.plora.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.plora.kernels.DType;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.model.Safetensors;
import io.plora.space.LoraConfig;
import io.plora.space.Schedule;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PeftAdapterTest {

    private static final LoraConfig CONFIG = LoraConfig.builder()
            .withRank(4)
            .withAlpha(8)
            .withDropout(0.05)
            .withLearningRate(1.0 / 3000)
            .withSchedule(Schedule.COSINE)
            .withRankStabilized(true)
            .withSeed(7)
            .withTargetModules(EnumSet.of(TargetModule.Q_PROJ, TargetModule.V_PROJ, TargetModule.DOWN_PROJ))
            .build();

    @TempDir
    private Path root;

    private Path folder;

    @BeforeEach
    void nameFolder() {
        folder = root.resolve("adapters/best");
    }

    @Test
    void whatIsSavedLoadsBackExactly() {
        PeftAdapter adapter = RandomAdapters.create(CONFIG, 1);
        adapter.save(folder);
        PeftAdapter loaded = PeftAdapter.load(folder);
        assertThat(loaded.config()).isEqualTo(CONFIG);
        assertThat(loaded.baseModel()).isEqualTo(RandomAdapters.BASE_MODEL);
        assertThat(loaded.layers()).isEqualTo(RandomAdapters.LAYERS);
        assertThat(loaded.parameters()).isEqualTo(adapter.parameters());
        assertSameMatrices(loaded, adapter);
    }

    @Test
    void whatIsSavedBesideTheSameLoadsBackExactlyAndOutlivesIt() {
        PeftAdapter adapter = RandomAdapters.create(CONFIG, 1);
        Path last = root.resolve("adapters/last");
        adapter.save(folder);
        adapter.save(last, folder);
        RandomAdapters.create(CONFIG, 2).save(folder);
        assertSameMatrices(PeftAdapter.load(last), adapter);
        assertThat(PeftAdapter.load(last).config()).isEqualTo(CONFIG);
    }

    @Test
    void withoutTheSameItIsWrittenWhole() {
        PeftAdapter adapter = RandomAdapters.create(CONFIG, 1);
        adapter.save(folder, root.resolve("missing"));
        assertSameMatrices(PeftAdapter.load(folder), adapter);
    }

    @Test
    void theConfigurationIsTheOneThatPeftReads() throws IOException {
        RandomAdapters.create(CONFIG, 1).save(folder);
        JsonNode json = new ObjectMapper()
                .readTree(folder.resolve("adapter_config.json").toFile());
        assertThat(json.toString())
                .isEqualTo(
                        "{\"base_model_name_or_path\":\"models/tiny-qwen2\",\"bias\":\"none\",\"fan_in_fan_out\":false,"
                                + "\"inference_mode\":true,\"lora_alpha\":8,\"lora_dropout\":0.05,\"peft_type\":\"LORA\",\"r\":4,"
                                + "\"target_modules\":[\"down_proj\",\"q_proj\",\"v_proj\"],\"task_type\":\"CAUSAL_LM\","
                                + "\"use_rslora\":true}");
    }

    @Test
    void alphaIsWrittenWholeOnlyWhereItIs() throws IOException {
        RandomAdapters.create(CONFIG.toBuilder().withAlpha(0.1).build(), 1).save(folder);
        assertThat(folder.resolve("adapter_config.json")).content().contains("\"lora_alpha\" : 0.1");
        assertThat(PeftAdapter.load(folder).config().alpha()).isEqualTo(0.1);
    }

    @Test
    void tensorsHavePeftsNamesAndShapes() {
        RandomAdapters.create(CONFIG, 1).save(folder);
        try (Safetensors file = Safetensors.open(folder.resolve("adapter_model.safetensors"))) {
            assertThat(file.metadata()).isEqualTo(Map.of("format", "pt"));
            assertThat(List.copyOf(file.names()))
                    .hasSize(2 * 3 * RandomAdapters.LAYERS)
                    .isSorted();
            String module = "base_model.model.model.layers.3.mlp.down_proj.";
            assertThat(file.info(module + "lora_A.weight").shape()).containsExactly(4, 352);
            assertThat(file.info(module + "lora_B.weight").shape()).containsExactly(128, 4);
            assertThat(file.info("base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight")
                            .type())
                    .isEqualTo(DType.F32);
        }
    }

    @Test
    void savingReplacesAnAdapterWithAllItsFiles() {
        PeftAdapter first = RandomAdapters.create(CONFIG, 1);
        PeftAdapter second = RandomAdapters.create(CONFIG, 2);
        first.save(folder, new TrainingState(new float[0], new float[0], 1, 1, 0));
        second.save(folder);
        assertSameMatrices(PeftAdapter.load(folder), second);
        assertThat(folder.toFile().list())
                .containsExactlyInAnyOrder("adapter_config.json", "adapter_model.safetensors", "plora.json");
        assertThat(folder.getParent().toFile().list()).containsExactly("best");
    }

    @Test
    void theTrainingStateIsSavedWithTheAdapter() {
        PeftAdapter adapter = RandomAdapters.create(CONFIG, 1);
        float[] moments = new float[(int) adapter.parameters()];
        moments[5] = 0.25f;
        adapter.save(folder, new TrainingState(moments, moments, 3, 12, 1));
        assertThat(TrainingState.load(folder).firstMoment()).isEqualTo(moments);
        assertSameMatrices(PeftAdapter.load(folder), adapter);
    }

    @Test
    void aTrainingStateOfAnotherAdapterIsRefused() {
        PeftAdapter adapter = RandomAdapters.create(CONFIG, 1);
        TrainingState state = new TrainingState(new float[1], new float[1], 0, 0, 0);
        assertThatThrownBy(() -> adapter.save(folder, state))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("moments of (1) parameters, the adapter (%d)".formatted(adapter.parameters()));
        assertThat(folder).doesNotExist();
    }

    @Test
    void aFolderThatHoldsSomethingElseIsNotTouched() throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("README.md"), "mine");
        assertThatThrownBy(() -> RandomAdapters.create(CONFIG, 1).save(folder))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("holds (README.md), which would be lost");
        assertThat(folder.resolve("README.md")).hasContent("mine");
    }

    @Test
    void whereNothingCanBeWrittenNothingIsLeft() throws IOException {
        Files.writeString(root.resolve("adapters"), "a file, so that no folder can be made");
        assertThatThrownBy(() -> RandomAdapters.create(CONFIG, 1).save(folder))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(folder + ": could not be written");
        assertThat(root.toFile().list()).containsExactly("adapters");
    }

    @Test
    void anAdapterNeedsAllItsModules() {
        Map<ModuleKey, LoraMatrices> modules =
                new HashMap<>(RandomAdapters.create(CONFIG, 1).modules());
        modules.remove(new ModuleKey(2, TargetModule.V_PROJ));
        assertInvalid(CONFIG, modules, "Module (model.layers.2.self_attn.v_proj) is missing");
        assertInvalid(CONFIG, Map.of(), "has no module");
    }

    @Test
    void modulesMustFitTheConfiguration() {
        Map<ModuleKey, LoraMatrices> modules = RandomAdapters.create(CONFIG, 1).modules();
        assertInvalid(CONFIG.toBuilder().withRank(5).build(), modules, "of rank (4) does not fit");
        LoraConfig fewer = CONFIG.toBuilder()
                .withTargetModules(EnumSet.of(TargetModule.Q_PROJ))
                .build();
        assertInvalid(fewer, modules, "(model.layers.0.self_attn.v_proj) of rank (4) does not fit");
    }

    @Test
    void matricesMustHaveTheirShapes() {
        assertThatThrownBy(() -> new LoraMatrices(2, 3, 4, new float[6], new float[7]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("B has (7) values, its shape needs (8).");
    }

    @Test
    void anAdapterFitsItsModelOnly() {
        PeftAdapter adapter = RandomAdapters.create(CONFIG, 1);
        adapter.requireFits(model(RandomAdapters.LAYERS, 352));
        assertThatThrownBy(() -> adapter.requireFits(model(5, 352)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("has (4) layers, the model (5)");
        assertThatThrownBy(() -> adapter.requireFits(model(RandomAdapters.LAYERS, 360)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(model.layers.0.mlp.down_proj) is for a weight of shape [128, 352]")
                .hasMessageContaining("the model's is [128, 360]");
    }

    private static ModelConfig model(int layers, int intermediateSize) {
        RopeConfig rope = new RopeConfig(10000, null);
        return new ModelConfig("qwen2", 128, intermediateSize, layers, 4, 2, 32, 4096, 1e-6, rope, true, true, 2048);
    }

    private static void assertInvalid(LoraConfig config, Map<ModuleKey, LoraMatrices> modules, String problem) {
        assertThatThrownBy(() -> new PeftAdapter(config, "", modules))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(problem);
    }

    private static void assertSameMatrices(PeftAdapter actual, PeftAdapter expected) {
        assertThat(actual.modules().keySet()).isEqualTo(expected.modules().keySet());
        expected.modules()
                .forEach((key, matrices) -> assertThat(actual.modules().get(key))
                        .usingRecursiveComparison()
                        .isEqualTo(matrices));
    }
}
