package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.kernels.DType;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MemoryModelTest {
    private static final ModelConfig TINY =
            new ModelConfig("qwen2", 128, 352, 4, 4, 2, 32, 4096, 1e-6, new RopeConfig(1e4, null), true, true, 2048);
    private static final ModelConfig QWEN_05B = new ModelConfig(
            "qwen2", 896, 4864, 24, 14, 2, 64, 151936, 1e-6, new RopeConfig(1e6, null), true, true, 32768);
    private static final ModelConfig LLAMA_1B_UNTIED = new ModelConfig(
            "llama", 2048, 8192, 16, 32, 8, 64, 128256, 1e-5, new RopeConfig(5e5, null), false, false, 131072);

    private static LoraConfig config(int rank, TargetModule... modules) {
        return LoraConfig.builder()
                .withRank(rank)
                .withTargetModules(modules.length == 0 ? Set.of(TargetModule.values()) : Set.of(modules))
                .build();
    }

    @Test
    void baseParametersAreThoseOfTheCheckpoint() {
        // table 4096 x 128; a layer: q, o 128 x 128 each, k, v 128 x 64 each, gate, up, down 128 x 352 each, norms 256,
        // biases 128 + 64 + 64; final norm 128
        assertThat(MemoryModel.baseParameters(TINY))
                .isEqualTo(524_288 + 4 * (32_768 + 16_384 + 135_168 + 256 + 256) + 128);
        // as the model card says: 0.49B, 494,032,768 values in the file
        assertThat(MemoryModel.baseParameters(QWEN_05B)).isEqualTo(494_032_768L);
        // Llama 3.2 1B has 1,235,814,400; a second table of 128256 x 2048 comes on top
        assertThat(MemoryModel.baseParameters(LLAMA_1B_UNTIED)).isEqualTo(1_235_814_400L + 128_256L * 2048);
    }

    @Test
    void adapterParametersFollowRankAndModules() {
        // q: 8 (128 + 128), v: 8 (128 + 64), four layers
        assertThat(MemoryModel.adapterParameters(TINY, config(8, TargetModule.Q_PROJ, TargetModule.V_PROJ)))
                .isEqualTo(4 * 8 * (256 + 192));
        // all: q, o 256 each, k, v 192 each, gate, up, down 480 each
        assertThat(MemoryModel.adapterParameters(TINY, config(16))).isEqualTo(4 * 16 * (512 + 384 + 1440));
        // q, o 1792 each, k, v 1024 each, gate, up, down 5760 each; PEFT reports 8,798,208 at rank 16
        assertThat(MemoryModel.adapterParameters(QWEN_05B, config(16))).isEqualTo(8_798_208L);
    }

    @Test
    void tinyModelInFloat32() {
        MemoryModel memory = new MemoryModel(TINY, DType.F32, DType.F32, 64);

        assertThat(memory.baseBytes(1)).isEqualTo(4 * 1_263_744L + 4 * 64 * 4096);
        // 149,504 parameters, 16 bytes each
        assertThat(memory.adapterBytes(config(16), 1)).isEqualTo(149_504L * 16);
        // a layer: 4 x 128, q/k/v 256, attention 128, 3 x 352, 2 norms, 4 heads; outside: 4 x 128, 3 x 352, norm, loss;
        // low-rank: 7 modules x 16 in each layer
        long layer = 512 + 256 + 128 + 1056 + 6;
        long outside = 512 + 1056 + 2;
        assertThat(memory.tokenBytes(config(16), 1)).isEqualTo(4 * (4 * layer + outside + 4 * 7 * 16));
    }

    @Test
    void halfBillionModelInBfloat16WithFloat32Masters() {
        MemoryModel memory = new MemoryModel(QWEN_05B, DType.BF16, DType.F32, 1024);

        assertThat(memory.baseBytes(1)).isEqualTo(2 * 494_032_768L + 4L * 1024 * 151_936);
        // value, gradient, two moments in float32 and a copy in bf16
        assertThat(memory.adapterBytes(config(16), 1)).isEqualTo(18 * 8_798_208L);
        // a layer: 4 x 896, q/k/v 1152, attention 896, 3 x 4864 in bf16; 2 norms, 14 heads in float32
        long layer = 2 * (3584 + 1152 + 896 + 14_592) + 4 * 16;
        long outside = 2 * (3584 + 14_592) + 4 * 2;
        assertThat(memory.tokenBytes(config(16, TargetModule.Q_PROJ), 1)).isEqualTo(24 * layer + outside + 2 * 24 * 16);
    }

    @Test
    void doublePrecisionDoublesEverything() {
        MemoryModel single = new MemoryModel(TINY, DType.F32, DType.F32, 64);
        MemoryModel twice = new MemoryModel(TINY, DType.F64, DType.F64, 64);

        assertThat(twice.baseBytes(1)).isEqualTo(2 * single.baseBytes(1));
        assertThat(twice.adapterBytes(config(8), 1)).isEqualTo(2 * single.adapterBytes(config(8), 1));
        assertThat(twice.tokenBytes(config(8), 1)).isEqualTo(2 * single.tokenBytes(config(8), 1));
    }

    @Test
    void scratchOfAttentionCountsWhereItIsTheLarger() {
        // heads x 32 = 1024: q/k/v 3072 and attention 1024 against 3 x 352
        ModelConfig wideAttention = new ModelConfig(
                "llama", 128, 352, 1, 32, 32, 32, 4096, 1e-6, new RopeConfig(1e4, null), true, false, 2048);
        MemoryModel memory = new MemoryModel(wideAttention, DType.F32, DType.F32, 64);

        long layer = 512 + 3072 + 1024 + 1056 + 34;
        assertThat(memory.tokenBytes(config(1, TargetModule.Q_PROJ), 1))
                .isEqualTo(4 * (layer + 512 + (3072 + 1024) + 2 + 1));
    }

    @Test
    void amountsReadWell() {
        assertThat(Bytes.toText(512)).isEqualTo("512 bytes");
        assertThat(Bytes.toText(1536)).isEqualTo("1.5 KiB");
        assertThat(Bytes.toText(5L << 30)).isEqualTo("5.0 GiB");
        assertThat(Bytes.toText(3000L << 40)).isEqualTo("3000.0 TiB");
    }
}
