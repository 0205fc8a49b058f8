package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.kernels.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {

    @TempDir
    private Path folder;

    @Test
    void readsASingleFile() {
        try (Checkpoint checkpoint = Checkpoint.open(Path.of("../plora-examples/models/tiny-qwen2"))) {
            assertThat(checkpoint.names()).hasSize(50);
            assertThat(checkpoint.isSharded()).isFalse();
            assertThat(checkpoint.shards()).hasSize(1);
            assertThat(checkpoint.floats("model.norm.weight")).hasSize(128).startsWith(1.9140625f);
        }
    }

    @Test
    void findsTensorsInTheirShards() throws IOException {
        writeShard("one.safetensors", "a", 1);
        writeShard("two.safetensors", "b", 2);
        writeIndex("""
                {"metadata": {"total_size": 8}, "weight_map": {"b": "two.safetensors", "a": "one.safetensors"}}""");
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
            assertThat(checkpoint.isSharded()).isTrue();
            assertThat(checkpoint.names()).containsExactlyInAnyOrder("a", "b");
            assertThat(checkpoint.floats("a")).containsExactly(1);
            assertThat(checkpoint.floats("b")).containsExactly(2);
            assertThat(checkpoint.info("b").type()).isEqualTo(DType.F32);
            assertThat(checkpoint.bytes("b", 0, 4)).isEqualTo(checkpoint.bytes("b"));
            assertThatThrownBy(() -> checkpoint.bytes("c"))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageStartingWith(folder + ": has no tensor (c)");
        }
    }

    @Test
    void anIndexThatNamesAMissingShardIsReported() throws IOException {
        writeShard("one.safetensors", "a", 1);
        writeIndex("""
                {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}""");
        assertOpeningFails(folder.resolve(Checkpoint.INDEX_FILE), "shard (two.safetensors) of tensor (b) is missing");
    }

    @Test
    void aTensorThatIsNotInItsShardIsReported() throws IOException {
        writeShard("one.safetensors", "a", 1);
        writeIndex("""
                {"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}""");
        assertOpeningFails(folder.resolve(Checkpoint.INDEX_FILE), "tensor (b) is not in (" + folder);
    }

    @Test
    void aTruncatedShardIsReported() throws IOException {
        writeShard("one.safetensors", "a", 1);
        Path shard = folder.resolve("one.safetensors");
        byte[] all = Files.readAllBytes(shard);
        Files.write(shard, Arrays.copyOf(all, all.length - 1));
        writeIndex("""
                {"weight_map": {"a": "one.safetensors"}}""");
        assertOpeningFails(shard, "truncated: (1) of (4) bytes");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"weight_map\": {}}",
                "{\"weight_map\": [\"a\"]}",
                "{\"weight_map\": {\"a\": 1}}",
                "{\"weight_map\": {\"a\": \"\"}}",
                "{\"weight_map\": {\"a\": \"../other/one.safetensors\"}}",
                "{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}",
                "{\"weight_map\": {\"a\":",
                "[]",
            })
    void aWrongIndexIsReported(String index) throws IOException {
        writeIndex(index);
        assertOpeningFails(folder.resolve(Checkpoint.INDEX_FILE), "");
    }

    @Test
    void aFolderWithoutWeightsIsReported() {
        assertOpeningFails(folder, "has neither (model.safetensors) nor (model.safetensors.index.json)");
    }

    @Test
    void aMissingFolderIsReported() {
        assertThatThrownBy(() -> Checkpoint.open(folder.resolve("nowhere")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("nowhere") + ": there is no such folder");
    }

    private void assertOpeningFails(Path path, String problem) {
        assertThatThrownBy(() -> Checkpoint.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(path + ": ")
                .hasMessageContaining(problem)
                .hasMessageContaining("Maybe");
    }

    private void writeShard(String fileName, String tensor, float value) {
        new SafetensorsWriter()
                .withTensor(tensor, new TensorInfo(DType.F32, 1), TensorData.of(new float[] {value}))
                .write(folder.resolve(fileName));
    }

    private void writeIndex(String json) throws IOException {
        Files.writeString(folder.resolve(Checkpoint.INDEX_FILE), json);
    }
}
