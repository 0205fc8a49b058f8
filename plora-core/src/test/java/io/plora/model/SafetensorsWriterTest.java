package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.kernels.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("new/tensors.safetensors");
    }

    @Test
    void whatIsWrittenReadsBack() {
        float[] many = new float[200_001];
        Random random = new Random(1);
        for (int i = 0; i < many.length; i++) {
            many[i] = random.nextFloat();
        }
        ByteBuffer halves =
                ByteBuffer.wrap(new byte[] {9, 0, 0x3C, 0, (byte) 0xBC}).position(1);
        new SafetensorsWriter()
                .withTensor("many", new TensorInfo(DType.F32, 3, 66667), TensorData.of(many))
                .withTensor("halves", new TensorInfo(DType.F16, 2), TensorData.of(halves))
                .withTensor("none", new TensorInfo(DType.F32, 0), TensorData.of(new float[0]))
                .withMetadata("note", "ä \"quoted\"")
                .write(file);

        try (Safetensors tensors = Safetensors.open(file)) {
            assertThat(tensors.names()).containsExactly("many", "none", "halves");
            assertThat(tensors.floats("many")).isEqualTo(many);
            assertThat(tensors.info("many").shape()).containsExactly(3, 66667);
            assertThat(tensors.floats("halves")).containsExactly(1, -1);
            assertThat(tensors.metadata()).isEqualTo(Map.of("format", "pt", "note", "ä \"quoted\""));
        }
        assertThat(halves.remaining()).isEqualTo(4);
        assertThat(file.getParent()).isDirectoryContaining(path -> path.equals(file));
        assertThat(file.getParent().toFile().list()).hasSize(1);
    }

    @Test
    void theHeaderIsThatOfHuggingFacesWriter() throws IOException {
        new SafetensorsWriter()
                .withTensor("b", new TensorInfo(DType.F32, 1), TensorData.of(new float[] {1}))
                .withTensor("a", new TensorInfo(DType.F32, 1, 2), TensorData.of(new float[] {2, 3}))
                .write(file);
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int headerBytes = (int) bytes.getLong();
        byte[] header = new byte[headerBytes];
        bytes.get(header);
        assertThat(headerBytes % 8).isZero();
        assertThat(new String(header, StandardCharsets.UTF_8).stripTrailing())
                .isEqualTo("{\"__metadata__\":{\"format\":\"pt\"},"
                        + "\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}");
        assertThat(bytes.remaining()).isEqualTo(12);
    }

    @Test
    void dataOfAnotherSizeIsRefusedAndLeavesNothing() {
        SafetensorsWriter writer =
                new SafetensorsWriter().withTensor("a", new TensorInfo(DType.F32, 3), TensorData.of(new float[2]));
        assertThatThrownBy(() -> writer.write(file))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Tensor (a) needs (12) bytes, its data gave (8).");
        assertThat(file.getParent()).isEmptyDirectory();
    }

    @Test
    void aNameIsTakenOnce() {
        TensorInfo info = new TensorInfo(DType.F32, 0);
        SafetensorsWriter writer = new SafetensorsWriter().withTensor("a", info, TensorData.of(new float[0]));
        assertThatThrownBy(() -> writer.withTensor("a", info, TensorData.of(new float[0])))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(a) is taken");
    }

    @Test
    void aCopyWithOtherValuesKeepsEverythingElse() throws IOException {
        Path original = Path.of("../plora-examples/models/tiny-qwen2/model.safetensors");
        ByteBuffer norm = ByteBuffer.allocate(256);
        try (Safetensors model = Safetensors.open(original)) {
            model.copyTo(file, Map.of("model.norm.weight", TensorData.of(norm)));
        }
        byte[] expected = Files.readAllBytes(original);
        Arrays.fill(expected, expected.length - 256, expected.length, (byte) 0); // the last tensor
        assertThat(file).hasBinaryContent(expected);
    }
}
