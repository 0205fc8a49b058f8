package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.model.BaseModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RandomModelMakerTest {
    @TempDir
    private Path folder = Path.of("");

    private Path make(String name, String seed) {
        Path model = folder.resolve(name);
        String[] arguments = {
            "--output",
            model.toString(),
            "--hidden",
            "64",
            "--intermediate",
            "96",
            "--layers",
            "2",
            "--heads",
            "2",
            "--kv-heads",
            "1",
            "--untied",
            "--seed",
            seed
        };
        assertThat(CommandLines.run(new RandomModelMaker(), arguments)).isZero();
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
}
