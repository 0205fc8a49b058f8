package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.primitives.Floats;
import io.plora.cost.MemoryModel;
import io.plora.kernels.DType;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedProjection;
import io.plora.kernels.PackedProjection.Part;
import io.plora.kernels.Tensor;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.DecoderWeights.Layer;
import io.plora.space.TargetModule;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DecoderWeightsTest {
    private static final Path TINY = Path.of("../plora-examples/models/tiny-qwen2");

    private final Kernels kernels = new ReferenceKernels();

    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        kernels.close();
    }

    @ParameterizedTest
    @CsvSource({"F32, 1", "F16, 1", "BF16, 1", "F32, 3", "F16, 2", "BF16, 5"})
    void everyTensorArrivesFromOneFileOrSeveral(DType type, int shards) {
        ModelFolder written = new ModelFolder(folder);
        written.config().put("attention_bias", true);
        written.drawWeights(type, shards);
        if (shards == 1) {
            written.writeOneFile(type);
        } else {
            written.writeShards(type, shards);
        }
        DecoderWeights weights = load(folder, 8);

        assertHolds(weights.embedding(), written, "model.embed_tokens.weight");
        assertHolds(weights.finalNorm(), written, "model.norm.weight");
        assertHolds(weights.lmHead(), written, "lm_head.weight");
        assertThat(weights.layers()).hasSize(2);
        for (int i = 0; i < 2; i++) {
            Layer layer = weights.layers().get(i);
            String prefix = "model.layers." + i + ".";
            assertHolds(layer.inputNorm(), written, prefix + "input_layernorm.weight");
            assertHolds(layer.postNorm(), written, prefix + "post_attention_layernorm.weight");
            assertStacks(layer.qkv(), written, prefix + "self_attn.", "q_proj", "k_proj", "v_proj");
            assertStacks(layer.o(), written, prefix + "self_attn.", "o_proj");
            assertStacks(layer.gateUp(), written, prefix + "mlp.", "gate_proj", "up_proj");
            assertStacks(layer.down(), written, prefix + "mlp.", "down_proj");
        }
    }

    @Test
    void kernelsGetTheFilesOwnBytesPieceByPiece() {
        List<ByteBuffer> pieces = new ArrayList<>();
        Kernels observed = (Kernels) Proxy.newProxyInstance(
                Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("write") && arguments[1] instanceof ByteBuffer piece) {
                        assertThat(arguments[2]).isEqualTo(DType.BF16);
                        pieces.add(piece.duplicate());
                    }
                    return method.invoke(kernels, arguments);
                });
        try (BaseModel model = BaseModel.open(TINY)) {
            DecoderWeights.load(model, observed, 1);
            long values = MemoryModel.baseParameters(model.config());
            assertThat(pieces).allMatch(ByteBuffer::isDirect).allMatch(ByteBuffer::isReadOnly);
            assertThat(pieces.stream().mapToLong(ByteBuffer::remaining).sum()).isEqualTo(2 * values);
        }
    }

    @Test
    void partsSayWhereAModuleLiesAndItsNumber() {
        Layer layer = load(TINY, 1).layers().get(3);
        assertThat(layer.qkv().parts())
                .containsExactly(new Part(0, 128, 21), new Part(128, 192, 22), new Part(192, 256, 23));
        assertThat(layer.o().parts()).containsExactly(new Part(0, 128, 24));
        assertThat(layer.gateUp().parts()).containsExactly(new Part(0, 352, 25), new Part(352, 704, 26));
        assertThat(layer.down().parts()).containsExactly(new Part(0, 128, 27));
        assertThat(DecoderWeights.moduleNumber(3, TargetModule.DOWN_PROJ)).isEqualTo(27);
    }

    @Test
    void onlyQwen2sInputProjectionsHaveBiases() {
        Layer layer = load(TINY, 1).layers().get(0);
        assertThat(layer.qkv().bias()).isNotNull();
        assertThat(Stream.of(layer.o(), layer.gateUp(), layer.down()).map(PackedProjection::bias))
                .containsOnlyNulls();
    }

    @Test
    void tiedEmbeddingsAreOneTensor() {
        DecoderWeights weights = load(TINY, 1);
        assertThat(weights.lmHead()).isSameAs(weights.embedding());
    }

    @Test
    void tiedEmbeddingsWinOverAnOutputLayerInTheFile() {
        ModelFolder written = new ModelFolder(folder);
        written.config().put("tie_word_embeddings", true);
        written.drawWeights(DType.F32, 1)
                .withTensor("lm_head.weight", DType.F32, new SplittableRandom(2), 50, 48)
                .writeOneFile(DType.F32);
        DecoderWeights weights = load(folder, 1);
        assertThat(weights.lmHead()).isSameAs(weights.embedding());
    }

    @Test
    void theRotaryTableReachesAsFarAsAskedFor() {
        Tensor rotary = load(TINY, 20).rotary();
        assertThat(rotary.shape()).containsExactly(20, 32);
        assertThat(kernels.floats(rotary)).isEqualTo(RotaryTable.of(new RopeConfig(10000, null), 20, 32));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 2049})
    void positionsThatTheModelDoesNotHaveAreRefused(int positions) {
        assertThatThrownBy(() -> load(TINY, positions))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(%d)".formatted(positions))
                .hasMessageContaining("(2048)");
    }

    private DecoderWeights load(Path model, int positions) {
        try (BaseModel opened = BaseModel.open(model)) {
            return DecoderWeights.load(opened, kernels, positions);
        }
    }

    private void assertHolds(Tensor tensor, ModelFolder written, String name) {
        assertThat(kernels.floats(tensor)).as(name).isEqualTo(written.values(name));
    }

    private void assertStacks(PackedProjection projection, ModelFolder written, String prefix, String... modules) {
        float[][] expected = Stream.of(modules)
                .map(module -> written.values(prefix + module + ".weight"))
                .toArray(float[][]::new);
        assertThat(kernels.floats(projection.weight())).as(prefix).isEqualTo(Floats.concat(expected));
        float[][] biases = Stream.of(modules)
                .map(module -> written.values(prefix + module + ".bias"))
                .filter(bias -> bias != null)
                .toArray(float[][]::new);
        assertThat(projection.bias() == null ? new float[0] : kernels.floats(projection.bias()))
                .as(prefix)
                .isEqualTo(Floats.concat(biases));
    }
}
