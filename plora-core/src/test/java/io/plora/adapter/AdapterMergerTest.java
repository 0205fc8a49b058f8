package io.plora.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.plora.kernels.DType;
import io.plora.model.Checkpoint;
import io.plora.model.FloatFormat;
import io.plora.model.ModelFormatException;
import io.plora.model.SafetensorsWriter;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AdapterMergerTest {

    private static final Path TINY = Path.of("../plora-examples/models/tiny-qwen2");

    private static final LoraConfig CONFIG = LoraConfig.builder()
            .withRank(3)
            .withAlpha(5)
            .withRankStabilized(true)
            .build();

    /** Of the small models made here: one layer, q_proj and o_proj. */
    private static final LoraConfig SMALL_CONFIG = CONFIG.toBuilder()
            .withTargetModules(EnumSet.of(TargetModule.Q_PROJ, TargetModule.O_PROJ))
            .build();

    private static final String Q_PROJ = "model.layers.0.self_attn.q_proj.weight";
    private static final String O_PROJ = "model.layers.0.self_attn.o_proj.weight";
    private static final int INPUTS = 6;
    private static final int OUTPUTS = 4;

    @TempDir
    private Path root;

    private Path output;

    @BeforeEach
    void nameOutput() {
        output = root.resolve("merged");
    }

    @Test
    void aRealModelIsMergedModuleByModule() {
        PeftAdapter adapter = RandomAdapters.create(CONFIG, 1);
        AdapterMerger.merge(TINY, adapter, output);
        try (Checkpoint base = Checkpoint.open(TINY);
                Checkpoint merged = Checkpoint.open(output)) {
            assertThat(merged.names()).containsExactlyElementsOf(base.names());
            adapter.modules().forEach((key, matrices) -> assertMerged(base, merged, key.path() + ".weight", matrices));
            assertThat(merged.bytes("model.embed_tokens.weight")).isEqualTo(base.bytes("model.embed_tokens.weight"));
            assertThat(merged.bytes("model.layers.0.self_attn.q_proj.bias"))
                    .isEqualTo(base.bytes("model.layers.0.self_attn.q_proj.bias"));
        }
        assertThat(output.toFile().list())
                .containsExactlyInAnyOrder(TINY.toFile().list());
        assertThat(output.resolve("tokenizer.json")).hasSameBinaryContentAs(TINY.resolve("tokenizer.json"));
        assertThat(root.toFile().list()).containsExactly("merged");
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "F16", "BF16"})
    void weightsKeepTheirType(DType type) throws IOException {
        Path model = Files.createDirectory(root.resolve("model"));
        small(type).write(model.resolve(Checkpoint.SINGLE_FILE));
        PeftAdapter adapter = smallAdapter(0.3f);
        AdapterMerger.merge(model, adapter, output);
        try (Checkpoint base = Checkpoint.open(model);
                Checkpoint merged = Checkpoint.open(output)) {
            assertMerged(base, merged, Q_PROJ, adapter.modules().get(new ModuleKey(0, TargetModule.Q_PROJ)));
            assertMerged(base, merged, O_PROJ, adapter.modules().get(new ModuleKey(0, TargetModule.O_PROJ)));
        }
    }

    @Test
    void shardsAndIndexStayAsTheyAre() throws IOException {
        Path model = Files.createDirectory(root.resolve("model"));
        tensor(new SafetensorsWriter().withMetadata("note", "kept"), Q_PROJ, DType.F32, OUTPUTS)
                .write(model.resolve("one.safetensors"));
        tensor(new SafetensorsWriter(), O_PROJ, DType.F32, OUTPUTS).write(model.resolve("two.safetensors"));
        Path index = Files.writeString(model.resolve(Checkpoint.INDEX_FILE), """
                {"weight_map": {"%s": "one.safetensors", "%s": "two.safetensors"}}""".formatted(Q_PROJ, O_PROJ));
        PeftAdapter adapter = smallAdapter(0.3f);
        AdapterMerger.merge(model, adapter, output);
        assertThat(output.resolve(Checkpoint.INDEX_FILE)).hasSameBinaryContentAs(index);
        try (Checkpoint base = Checkpoint.open(model);
                Checkpoint merged = Checkpoint.open(output)) {
            assertThat(merged.shards()).hasSize(2);
            assertThat(merged.shards().iterator().next().metadata()).containsEntry("note", "kept");
            assertMerged(base, merged, O_PROJ, adapter.modules().get(new ModuleKey(0, TargetModule.O_PROJ)));
        }
    }

    @Test
    void weightsInOtherFormatsAreNotCopied() throws IOException {
        Path model = Files.createDirectory(root.resolve("model"));
        small(DType.F32).write(model.resolve(Checkpoint.SINGLE_FILE));
        for (String name : new String[] {
            "config.json", "LICENSE", "merges.txt", "pytorch_model.bin", "pytorch_model.bin.index.json", "README.md"
        }) {
            Files.writeString(model.resolve(name), name);
        }
        AdapterMerger.merge(model, smallAdapter(0.3f), output);
        assertThat(output.toFile().list())
                .containsExactlyInAnyOrder("model.safetensors", "config.json", "LICENSE", "merges.txt");
    }

    @Test
    void anAdapterOfAnotherModelIsRefused() throws IOException {
        Path model = Files.createDirectory(root.resolve("model"));
        tensor(new SafetensorsWriter(), Q_PROJ, DType.F32, OUTPUTS + 1).write(model.resolve(Checkpoint.SINGLE_FILE));
        assertThatThrownBy(() -> AdapterMerger.merge(model, smallAdapter(0.3f), output))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(model.layers.0.self_attn.q_proj) is for a weight of shape [4, 6]")
                .hasMessageContaining("the model's is [5, 6]");
        tensor(new SafetensorsWriter(), Q_PROJ, DType.F32, OUTPUTS).write(model.resolve(Checkpoint.SINGLE_FILE));
        assertThatThrownBy(() -> AdapterMerger.merge(model, smallAdapter(0.3f), output))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(model + ": has no tensor (" + O_PROJ + ")");
        assertThat(output).doesNotExist();
    }

    @Test
    void aDivergedAdapterLeavesNothing() throws IOException {
        Path model = Files.createDirectory(root.resolve("model"));
        small(DType.F16).write(model.resolve(Checkpoint.SINGLE_FILE));
        assertThatThrownBy(() -> AdapterMerger.merge(model, smallAdapter(1e6f), output))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("is not finite in F16");
        assertThat(root.toFile().list()).containsExactly("model");
    }

    @Test
    void theBaseModelIsNeverOverwritten() throws IOException {
        Path model = Files.createDirectory(root.resolve("model"));
        small(DType.F32).write(model.resolve(Checkpoint.SINGLE_FILE));
        assertThatThrownBy(() -> AdapterMerger.merge(model, smallAdapter(0.3f), model))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(model + ": holds (model.safetensors), which would be lost");
        assertThat(model.resolve(Checkpoint.SINGLE_FILE)).exists();
    }

    @Test
    void whereNothingCanBeWrittenTheOutputIsNamed() throws IOException {
        Path file = Files.writeString(root.resolve("file"), "no folder");
        assertThatThrownBy(() -> AdapterMerger.merge(TINY, RandomAdapters.create(CONFIG, 1), file.resolve("merged")))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(file.resolve("merged") + ": could not be written");
    }

    /** Plain double arithmetic; half a unit in the last place of the type, and float32's rounding before it. */
    private static void assertMerged(Checkpoint base, Checkpoint merged, String name, LoraMatrices matrices) {
        DType type = base.info(name).type();
        assertThat(merged.info(name).type()).isEqualTo(type);
        double halfUnit = switch (type) {
            case BF16 -> 0x1p-8;
            case F16 -> 0x1p-11;
            default -> 0x1p-24;
        };
        float[] before = base.floats(name);
        float[] after = merged.floats(name);
        for (int row = 0; row < matrices.outputs(); row++) {
            for (int column = 0; column < matrices.inputs(); column++) {
                double product = 0;
                for (int k = 0; k < matrices.rank(); k++) {
                    product += (double) matrices.b()[row * matrices.rank() + k]
                            * matrices.a()[k * matrices.inputs() + column];
                }
                int element = row * matrices.inputs() + column;
                double expected = before[element] + 5 / Math.sqrt(3) * product;
                double tolerance = (halfUnit + 0x1p-23) * Math.abs(expected) + 0x1p-25;
                assertThat((double) after[element]).isCloseTo(expected, within(tolerance));
            }
        }
    }

    private static SafetensorsWriter small(DType type) {
        return tensor(tensor(new SafetensorsWriter(), Q_PROJ, type, OUTPUTS), O_PROJ, type, OUTPUTS);
    }

    private static SafetensorsWriter tensor(SafetensorsWriter writer, String name, DType type, int rows) {
        ByteBuffer values = ByteBuffer.allocate(rows * INPUTS * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        Random random = new Random(5);
        for (int i = 0; i < rows * INPUTS; i++) {
            FloatFormat.put(type, values, i, (float) random.nextGaussian());
        }
        return writer.withTensor(name, new TensorInfo(type, rows, INPUTS), TensorData.of(values));
    }

    private static PeftAdapter smallAdapter(float b) {
        Random random = new Random(6);
        float[] bs = new float[OUTPUTS * 3];
        Arrays.fill(bs, b);
        LoraMatrices q = new LoraMatrices(3, INPUTS, OUTPUTS, RandomAdapters.values(3 * INPUTS, random), bs);
        LoraMatrices o = new LoraMatrices(3, INPUTS, OUTPUTS, RandomAdapters.values(3 * INPUTS, random), bs);
        return new PeftAdapter(
                SMALL_CONFIG,
                "",
                Map.of(new ModuleKey(0, TargetModule.Q_PROJ), q, new ModuleKey(0, TargetModule.O_PROJ), o));
    }
}
