package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.kernels.DType;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.util.Random;
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
    void passesOfFewTokensHoldNoMoreRowsOfLogits() {
        MemoryModel memory = new MemoryModel(QWEN_05B, DType.BF16, DType.F32, 1024);

        assertThat(memory.baseBytes(1) - memory.forPassesOf(64).baseBytes(1)).isEqualTo(960 * 151_936L * 4);
        assertThat(memory.forPassesOf(5000)).isEqualTo(memory);
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
    void appendixBInItsOwnTerms() {
        // M_lora of a projection: n_layers (h_in + h_out) r bytes of parameters; c_grad = 3 times that for gradient and
        // optimizer; activations b s r bytes. Down projection of the tiny model, float32, r = 8, b = 2, s = 100:
        // 4 x (352 + 128) x 8 x 4 = 61,440; 3 x 61,440 = 184,320; 2 x 100 x 8 x 4 in each of 4 layers = 25,600
        MemoryModel memory = new MemoryModel(TINY, DType.F32, DType.F32, 64);
        LoraConfig down = config(8, TargetModule.DOWN_PROJ);
        LoraConfig downAndUp = config(8, TargetModule.DOWN_PROJ, TargetModule.UP_PROJ);

        assertThat(memory.adapterBytes(down, 1)).isEqualTo(61_440 + 184_320);
        assertThat(200 * (memory.tokenBytes(downAndUp, 1) - memory.tokenBytes(down, 1)))
                .isEqualTo(25_600);
    }

    @Test
    void recomputingPointwiseWorkKeepsNeitherNormsNorSwiGlu() {
        MemoryModel memory = new MemoryModel(TINY, DType.F32, DType.F32, 64)
                .withActivationPolicy(ActivationPolicy.RECOMPUTE_POINTWISE);

        // a layer: input and middle 2 x 128, q/k/v 256, attention 128, gate and up 704, 2 norms, 4 heads; outside: as
        // if all is
        // kept, and one norm 128 and one product 352
        long layer = 256 + 256 + 128 + 704 + 6;
        long outside = 512 + 1056 + 2 + 128 + 352;
        assertThat(memory.tokenBytes(config(16), 1)).isEqualTo(4 * (4 * layer + outside + 4 * 7 * 16));
    }

    @Test
    void keepingLayerInputsNeedsOneWholeLayer() {
        MemoryModel memory = new MemoryModel(TINY, DType.F32, DType.F32, 64)
                .withActivationPolicy(ActivationPolicy.KEEP_LAYER_INPUTS);

        // four inputs of 128; outside as if all is kept, and a layer without its input; low-rank terms of one layer,
        // and
        // those of down in all four
        long outside = 512 + 1056 + 2;
        long layer = 3 * 128 + 256 + 128 + 1056 + 6;
        assertThat(memory.tokenBytes(config(16), 1)).isEqualTo(4 * (4 * 128 + outside + layer + (6 + 4) * 16));
        assertThat(memory.tokenBytes(config(16, TargetModule.DOWN_PROJ, TargetModule.UP_PROJ), 1))
                .isEqualTo(4 * (4 * 128 + outside + layer + (1 + 4) * 16));
    }

    @Test
    void fourBitWeightsTakeHalfAByteAndTheirScales() {
        MemoryModel plain = new MemoryModel(QWEN_05B, DType.BF16, DType.F32, 0);
        MemoryModel packed = plain.withWeightFormat(WeightFormat.NF4);

        // matrices of a layer: q, o 802,816 each, k, v 114,688, gate, up, down 4,358,144; scales: one byte for 64, 4
        // for 16,384:
        // 12,544 + 49 x 4 = 12,740; 1792 + 7 x 4 = 1820; 68,096 + 266 x 4 = 69,160
        long layer = 2 * (401_408 + 12_740) + 2 * (57_344 + 1820) + 3 * (2_179_072 + 69_160);
        long matrices = 2 * 802_816 + 2 * 114_688 + 3 * 4_358_144;
        long unpackedGateAndUp = 2 * 2 * 4_358_144;
        assertThat(packed.baseBytes(1)).isEqualTo(2 * (494_032_768L - 24 * matrices) + 24 * layer + unpackedGateAndUp);
        assertThat(packed.adapterBytes(config(16), 1)).isEqualTo(plain.adapterBytes(config(16), 1));
    }

    @Test
    void parallelDegreeDividesMatricesHeadsAndAdapters() {
        MemoryModel memory = new MemoryModel(TINY, DType.F32, DType.F32, 64);

        // two devices: table 2048 x 128; q, o 128 x 64 each, k, v 128 x 32 each, gate, up, down 128 x 176 each; norms
        // whole;
        // biases 64 + 32 + 32; logits 64 x 2048
        long parameters = 262_144 + 4 * (16_384 + 8192 + 67_584 + 256 + 128) + 128;
        assertThat(memory.baseBytes(2)).isEqualTo(4 * (parameters + 64 * 2048));
        assertThat(memory.adapterBytes(config(16), 2)).isEqualTo(149_504L * 16 / 2);
        // residual stream 4 x 128 whole, q/k/v 128, attention 64, 3 x 176, norms 2, heads 2
        long layer = 512 + 128 + 64 + 528 + 4;
        long outside = 512 + 528 + 2;
        assertThat(memory.tokenBytes(config(16), 2)).isEqualTo(4 * (4 * layer + outside + 4 * 7 * 16));
    }

    @Test
    void keyAndValueHeadsAreNeverSplit() {
        // 2 key and value heads on 4 devices: each holds one
        ModelShard shard = new ModelShard(TINY, 4);

        assertThat(shard.key()).isEqualTo(32);
        assertThat(shard.query()).isEqualTo(32);
        assertThatThrownBy(() -> new ModelShard(TINY, 0)).hasMessageContaining("(0)");
    }

    @Test
    void adaptersTakeASlotOfTheirSizeClass() {
        AdapterSlots slots = new AdapterSlots(4, 0, 0);

        // classes: 1024, 1280, 1536, 1792, 2048, 2560, ...
        assertThat(slots.slotBytes(1024)).isEqualTo(1024);
        assertThat(slots.slotBytes(1025)).isEqualTo(1280);
        assertThat(slots.slotBytes(1537)).isEqualTo(1792);
        assertThat(slots.slotBytes(2049)).isEqualTo(2560);
        assertThat(AdapterSlots.EXACT.slotBytes(1025)).isEqualTo(1025);
    }

    @Test
    void freeSlotsBelongToTheBase() {
        MemoryModel memory = new MemoryModel(TINY, DType.F32, DType.F32, 64);
        long parameters = MemoryModel.adapterParameters(TINY, config(16));
        // 2,392,064 bytes between 2,359,296 = 9 x 2^18 and 2,621,440 = 10 x 2^18
        MemoryModel withSlots = memory.withSlots(new AdapterSlots(8, 2, parameters));

        assertThat(withSlots.adapterBytes(config(16), 1)).isEqualTo(2_621_440);
        assertThat(withSlots.baseBytes(1)).isEqualTo(memory.baseBytes(1) + 2 * 2_621_440);
        assertThatThrownBy(() -> new AdapterSlots(4, -1, 0)).hasMessageContaining("free (-1)");
    }

    @Test
    void slotsWasteAtMostTheirShare() {
        Random random = new Random(1);
        for (int classes : new int[] {1, 2, 4, 8}) {
            AdapterSlots slots = new AdapterSlots(classes, 0, 0);
            for (int i = 0; i < 1000; i++) {
                long bytes = random.nextLong(1, 1L << 34);
                assertThat(slots.slotBytes(bytes)).isBetween(bytes, bytes + bytes / classes + 1);
            }
        }
    }

    @Test
    void sevenBillionModelOnAGpu() {
        ModelConfig model = ModelShapes.of("Qwen2.5-7B");
        MemoryModel memory = MemoryModel.onGpu(model);

        // rank 128 on all projections: 90,112 x 128 x 28 = 322,961,408 parameters of 18 bytes: 5.8 GB
        assertThat(memory.adapterBytes(config(128), 1)).isEqualTo(322_961_408L * 18);
        // weights 15,231,233,024, logits 1024 x 152,064 x 4, 640 MiB
        assertThat(memory.baseBytes(1)).isEqualTo(15_231_233_024L + 622_854_144L + 671_088_640L);
    }

    @Test
    void amountsReadWell() {
        assertThat(Bytes.toText(512)).isEqualTo("512 bytes");
        assertThat(Bytes.toText(1536)).isEqualTo("1.5 KiB");
        assertThat(Bytes.toText(5L << 30)).isEqualTo("5.0 GiB");
        assertThat(Bytes.toText(3000L << 40)).isEqualTo("3000.0 TiB");
    }
}
