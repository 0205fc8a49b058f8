package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.kernels.DType;
import io.plora.kernels.Values;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {

    private static final Path BUNDLED = Path.of("../plora-examples/models/tiny-qwen2/model.safetensors");

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("model.safetensors");
    }

    @Test
    void readsARealModel() {
        try (Safetensors model = Safetensors.open(BUNDLED)) {
            assertThat(model.names()).hasSize(50).contains("model.embed_tokens.weight", "model.norm.weight");
            assertThat(model.metadata()).containsEntry("format", "pt");
            TensorInfo info = model.info("model.layers.3.mlp.down_proj.weight");
            assertThat(info.type()).isEqualTo(DType.BF16);
            assertThat(info.shape()).containsExactly(128, 352);
            assertThat(model.bytes("model.layers.3.mlp.down_proj.weight").remaining())
                    .isEqualTo(128 * 352 * 2);
        }
    }

    @Test
    void readsTensorsInAnyOrderOfTheHeaderAndOfAnyAlignment() throws IOException {
        String header = """
                {"late":{"dtype":"F32","shape":[2],"data_offsets":[2,10]},
                 "early":{"dtype":"BF16","shape":[1,1],"data_offsets":[0,2]},
                 "scalar":{"dtype":"F16","shape":[],"data_offsets":[10,12]},
                 "empty":{"dtype":"F64","shape":[0,3],"data_offsets":[2,2]}}""";
        RawSafetensors.write(file, header, 12);
        byte[] all = Files.readAllBytes(file);
        ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN).putFloat(all.length - 6, -1.5f);
        Files.write(file, all);

        try (Safetensors tensors = Safetensors.open(file)) {
            assertThat(tensors.names()).containsExactly("early", "empty", "late", "scalar");
            assertThat(tensors.floats("late")).containsExactly(0, -1.5f);
            assertThat(tensors.floats("scalar")).containsExactly(0);
            assertThat(tensors.floats("empty")).isEmpty();
            assertThat(tensors.metadata()).isEmpty();
        }
    }

    @Test
    void buffersAreLittleEndianReadOnlyAndOutliveTheFile() {
        ByteBuffer bytes;
        Safetensors model = Safetensors.open(BUNDLED);
        try (model) {
            bytes = model.bytes("model.norm.weight");
        }
        assertThat(bytes.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
        assertThat(bytes.isReadOnly()).isTrue();
        assertThat(bytes.isDirect()).isTrue();
        assertThat(Values.value(bytes, DType.BF16, 0)).isEqualTo(1.9140625f);
    }

    @Test
    void readsAPieceOfATensor() {
        try (Safetensors model = Safetensors.open(BUNDLED)) {
            ByteBuffer piece = model.bytes("model.norm.weight", 10, 4);
            assertThat(piece.remaining()).isEqualTo(4);
            assertThat(piece.getShort(2))
                    .isEqualTo(model.bytes("model.norm.weight").getShort(12));
            assertThatThrownBy(() -> model.bytes("model.norm.weight", 254, 4))
                    .isInstanceOf(IndexOutOfBoundsException.class)
                    .hasMessageContaining("[254, 258)");
        }
    }

    @Test
    void anUnknownTypeIsAnErrorOnlyWhenItsTensorIsAskedFor() throws IOException {
        String header = """
                {"mask":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},
                 "weight":{"dtype":"F32","shape":[1],"data_offsets":[3,7]}}""";
        try (Safetensors tensors = Safetensors.open(RawSafetensors.write(file, header, 7))) {
            assertThat(tensors.floats("weight")).containsExactly(0);
            assertThatThrownBy(() -> tensors.info("mask"))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageStartingWith(file + ": tensor (mask) has the unsupported type (U8)");
        }
    }

    @Test
    void anUnknownTensorIsNamed() {
        try (Safetensors model = Safetensors.open(BUNDLED)) {
            assertThatThrownBy(() -> model.bytes("lm_head.weight"))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageStartingWith(BUNDLED + ": has no tensor (lm_head.weight)");
        }
    }

    @Test
    void aFileOver2GiBIsMappedTensorByTensor() throws IOException {
        long big = 1L << 31;
        String header = """
                {"big":{"dtype":"BF16","shape":[%d],"data_offsets":[0,%d]},
                 "small":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}}""".formatted(big / 2, big, big, big + 4);
        RawSafetensors.write(file, header, 0);
        try (var sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(sparse.length() + big + 4);
            sparse.seek(sparse.length() - 1);
            sparse.write(0x40); // little-endian 2.0f
        }
        try (Safetensors tensors = Safetensors.open(file)) {
            assertThat(tensors.floats("small")).containsExactly(2);
            assertThat(tensors.bytes("big", big - 8, 8).getLong()).isZero();
            assertThatThrownBy(() -> tensors.bytes("big"))
                    .isInstanceOf(ModelFormatException.class)
                    .hasMessageContaining("tensor (big) of (2147483648) bytes exceeds 2 GiB");
        }
    }

    @Test
    void aMissingFileIsNamed() {
        assertOpeningFails("there is no such file");
    }

    @Test
    void aFileWithoutRoomForAHeaderIsTruncated() throws IOException {
        Files.write(file, new byte[7]);
        assertOpeningFails("truncated: a header needs at least (8) bytes, the file has (7)");
    }

    @Test
    void aFileThatEndsInItsHeaderIsTruncated() throws IOException {
        RawSafetensors.write(file, 1000, "{}", 0);
        assertOpeningFails("truncated: header and its length need (1008) bytes, the file has (10)");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 2_000_000})
    void aFileThatEndsInItsDataIsTruncated(int missing) throws IOException {
        byte[] all = Files.readAllBytes(BUNDLED);
        Files.write(file, Arrays.copyOf(all, all.length - missing));
        assertOpeningFails("truncated: (%d) of (2527488) bytes of data are missing".formatted(missing));
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, 100_000_001, 0x206e6f6973726576L})
    void aHeaderLengthThatCannotBeIsReported(long length) throws IOException {
        RawSafetensors.write(file, length, "{}", 0);
        assertOpeningFails("wrong header: its length (" + Long.toUnsignedString(length) + ")");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "no json                                                  | no valid JSON at line (1), column",
                "{\"a\":                                                  | no valid JSON at line (1), column",
                "[]                                                       | expected a JSON object",
                "{} {}                                                    | no valid JSON",
                "{\"__metadata__\":[]}                                    | wrong header: __metadata__ ([]) must be an object",
                "{\"__metadata__\":{\"k\":1}}                             | wrong header: metadata (k) must be text",
                "{\"a\":5}                                                | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}                | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}         | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}     | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}  | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}} | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}   | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}} | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,99999999999999999999]}} | wrong header: tensor (a) must have",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}   | wrong header: tensor (a) of type and shape (F32[2]) does not fit data_offsets ([0, 4])",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}} | wrong header: tensor (a) has an impossible shape",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[5,9]}} | tensor (b) begins at byte (5) of the data, with a gap after (a), which ends at byte (4)",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}} | tensor (b) begins at byte (3) of the data, inside (a), which ends at byte (4)",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[1,5]}}    | tensor (a) begins at byte (1) of the data, with a gap after (the header)",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}    | wrong header: (12) bytes at the end of the file belong to no tensor",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}} | Duplicate field 'a'",
            })
    void aWrongHeaderIsReported(String header, String problem) throws IOException {
        RawSafetensors.write(file, header, 16);
        assertOpeningFails(problem);
    }

    private void assertOpeningFails(String problem) {
        assertThatThrownBy(() -> Safetensors.open(file))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file + ": ")
                .hasMessageContaining(problem)
                .hasMessageContaining("Maybe");
    }
}
