package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.kernels.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BaseModelTest {
    private static final Path TINY = Path.of("../plora-examples/models/tiny-qwen2");

    @TempDir
    private Path folder;

    @Test
    void opensTheBundledModel() {
        try (BaseModel model = BaseModel.open(TINY)) {
            assertThat(model.name()).isEqualTo("tiny-qwen2");
            assertThat(model.config().layers()).isEqualTo(4);
            assertThat(model.checkpoint().names()).contains("model.norm.weight");
            assertThat(model.tokenizer()).isSameAs(model.tokenizer());
            String chat = model.chatTemplate().orElseThrow().render(List.of(new ChatMessage("user", "Hi")), true);
            assertThat(model.tokenizer().encode(chat)).startsWith(1).contains(2);
        }
    }

    @Test
    void aModelWithoutTokenizerOpensUntilItIsAskedForOne() {
        new ModelFolder(folder).drawWeights(DType.F32, 1).writeOneFile(DType.F32);
        try (BaseModel model = BaseModel.open(folder)) {
            assertThat(model.chatTemplate()).isEmpty();
            assertThatThrownBy(model::tokenizer)
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("tokenizer.json");
        }
    }

    @Test
    void aTokenizerWithMoreTokensThanTheModelIsRefused() throws IOException {
        new ModelFolder(folder).drawWeights(DType.F32, 1).writeOneFile(DType.F32);
        Files.copy(TINY.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
        try (BaseModel model = BaseModel.open(folder)) {
            assertThatThrownBy(model::tokenizer)
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageStartingWith(folder.resolve("tokenizer.json").toString())
                    .hasMessageContaining("(4095)")
                    .hasMessageContaining("(50)");
        }
    }

    @Test
    void aMissingFolderIsRefused() {
        assertRefused(folder.resolve("nowhere"), "there is no such folder");
    }

    @Test
    void aFileInPlaceOfAFolderIsRefused() throws IOException {
        assertRefused(Files.createFile(folder.resolve("model.bin")), "is not a folder");
    }

    @Test
    void aFolderWithoutConfigIsRefused() {
        assertRefused(folder, "config.json");
    }

    @Test
    void aFolderWithoutWeightsIsRefused() {
        new ModelFolder(folder).writeConfig();
        assertRefused(folder, Checkpoint.SINGLE_FILE);
    }

    @Test
    void aMissingTensorIsRefused() {
        String name = "model.layers.1.self_attn.k_proj.weight";
        new ModelFolder(folder).drawWeights(DType.F32, 1).without(name).writeOneFile(DType.F32);
        assertRefused(folder, "(" + name + ")");
    }

    @Test
    void anUntiedModelWithoutOutputLayerIsRefused() {
        new ModelFolder(folder)
                .drawWeights(DType.F32, 1)
                .without("lm_head.weight")
                .writeOneFile(DType.F32);
        assertRefused(folder, "(lm_head.weight)");
    }

    @Test
    void aTensorOfAnotherShapeIsRefusedWithBothShapes() {
        String name = "model.layers.0.mlp.down_proj.weight";
        new ModelFolder(folder)
                .drawWeights(DType.F32, 1)
                .withTensor(name, DType.F32, new SplittableRandom(2), 40, 48)
                .writeOneFile(DType.F32);
        assertRefused(folder, "tensor (" + name + ") has shape ([40, 48])", "([48, 40])");
    }

    private static void assertRefused(Path folder, String... named) {
        assertThatThrownBy(() -> BaseModel.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.toString())
                .hasMessageContainingAll(named);
    }
}
