package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.plora.cost.ModelShapes;
import io.plora.kernels.Kernels;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.BaseModel;
import io.plora.model.DecoderTensors;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.model.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RandomModelMakerTest {
    @TempDir
    private Path folder = Path.of("");

    private Path make(String name, String seed, String... more) {
        Path model = folder.resolve(name);
        String sizes = "--hidden 64 --intermediate 96 --layers 2 --heads 2 --kv-heads 1 --untied";
        List<String> arguments = new ArrayList<>(List.of(sizes.split(" ")));
        arguments.addAll(List.of("--output", model.toString(), "--seed", seed));
        arguments.addAll(List.of(more));
        assertThat(CommandLines.run(new RandomModelMaker(), arguments.toArray(new String[0])))
                .isZero();
        return model;
    }

    @Test
    void theModelOpensWithTheShapesAskedFor() {
        try (BaseModel model = BaseModel.open(make("model", "1"))) {
            assertThat(model.config().hiddenSize()).isEqualTo(64);
            assertThat(model.config().kvHeads()).isEqualTo(1);
            assertThat(model.config().tiedEmbeddings()).isFalse();
            assertThat(model.tokenizer().encode("1 + 1")).isNotEmpty();
            assertThat(model.checkpoint().floats("model.norm.weight")).containsOnly(1);
            assertThat(model.checkpoint().floats("model.layers.1.self_attn.k_proj.bias"))
                    .containsOnly(0);
            assertThat(standardDeviation(model.checkpoint().floats("lm_head.weight")))
                    .isBetween(0.0195, 0.0205);
        }
    }

    private static double standardDeviation(float[] values) {
        double sum = 0;
        for (float value : values) {
            sum += value * value;
        }
        return Math.sqrt(sum / values.length);
    }

    @Test
    void equalSeedsGiveEqualFilesAndOthersDoNot() throws IOException {
        Path first = make("first", "1").resolve("model.safetensors");
        assertThat(Files.mismatch(first, make("second", "1").resolve("model.safetensors")))
                .isEqualTo(-1);
        assertThat(Files.mismatch(first, make("third", "2").resolve("model.safetensors")))
                .isPositive();
    }

    @Test
    void severalFilesHoldWhatOneFileHolds() {
        try (BaseModel one = BaseModel.open(make("one", "1"));
                BaseModel several = BaseModel.open(make("several", "1", "--shard-mib", "1"))) {
            assertThat(several.folder().resolve("model-00002-of-00002.safetensors"))
                    .exists();
            for (String name : DecoderTensors.shapes(one.config()).keySet()) {
                assertThat(several.checkpoint().floats(name))
                        .as(name)
                        .isEqualTo(one.checkpoint().floats(name));
            }
        }
    }

    @Test
    void weightsFromFilesAreThoseThatAreHandedToTheEngine() {
        try (BaseModel model = BaseModel.open(make("model", "5"));
                Kernels kernels = new ReferenceKernels()) {
            DecoderWeights loaded = DecoderWeights.load(model, kernels, 8);
            DecoderWeights made = DecoderWeights.load(model.config(), new RandomWeights(model.config(), 5), kernels, 8);
            assertThat(kernels.floats(made.lmHead())).isEqualTo(kernels.floats(loaded.lmHead()));
            for (int i = 0; i < 2; i++) {
                assertThat(kernels.floats(made.layers().get(i).qkv().weight()))
                        .isEqualTo(kernels.floats(loaded.layers().get(i).qkv().weight()));
                assertThat(kernels.floats(made.layers().get(i).down().weight()))
                        .isEqualTo(kernels.floats(loaded.layers().get(i).down().weight()));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Qwen2.5-0.5B",
                "Qwen2.5-1.5B",
                "Qwen2.5-3B",
                "Qwen2.5-7B",
                "Llama-3.2-1B",
                "Llama-3.2-3B",
                "Llama-3.1-8B"
            })
    void theConfigurationFileGivesTheShapeBack(String name) {
        ModelConfig shape = ModelShapes.of(name);
        StrictJson.writeObject(folder.resolve("config.json"), ConfigJson.of(shape));
        assertThat(ModelConfig.read(folder)).isEqualTo(shape);
    }

    @Test
    void aPartOfATensorIsTheSameWhoeverAsksForIt() {
        ModelConfig shape = ModelShapes.of("Qwen2.5-0.5B");
        String name = "model.layers.3.mlp.up_proj.weight";
        RandomWeights weights = new RandomWeights(shape, 7);
        byte[] whole = new byte[300_000];
        weights.bytes(name, 0, whole.length).get(whole);
        byte[] part = new byte[100_002];
        weights.bytes(name, 80_000, part.length).get(part);
        assertThat(part).isEqualTo(Arrays.copyOfRange(whole, 80_000, 180_002));
        assertThatIllegalArgumentException().isThrownBy(() -> weights.bytes(name, 2, 8));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> weights.info("lm_head.weight"))
                .withMessageContaining("(lm_head.weight)");
    }
}
