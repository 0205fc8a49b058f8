package io.plora.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.plora.kernels.DType;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig;
import io.plora.space.LoraConfig;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ActivationChoiceTest {
    private static final ModelConfig SEVEN_BILLION = ModelShapes.of("Qwen2.5-7B");
    private static final ModelConfig TINY =
            new ModelConfig("qwen2", 128, 352, 4, 4, 2, 32, 4096, 1e-6, new RopeConfig(1e4, null), true, true, 2048);

    @Test
    void everythingIsKeptWhereMemoryIsPlenty() {
        ActivationChoice choice = onGpu(load(32, 32, 64), DeviceSpec.H100_80GB, 75L << 30);

        assertThat(choice.policy()).isEqualTo(ActivationPolicy.KEEP_ALL);
    }

    @Test
    void layerInputsAreKeptWhereActivationsWouldLeaveNoRoomForASecondSample() {
        // weights take 16 GiB, one sample of 1,024 tokens 4.3 GiB with all activations, 0.5 GiB with layer inputs
        assertThat(onGpu(load(32, 32, 1024), DeviceSpec.H100_80GB, 22L << 30).policy())
                .isEqualTo(ActivationPolicy.KEEP_ALL);
        assertThat(onGpu(load(32, 32, 1024), DeviceSpec.H100_80GB, 20L << 30).policy())
                .isEqualTo(ActivationPolicy.RECOMPUTE_POINTWISE);
        assertThat(onGpu(load(32, 32, 1024), DeviceSpec.H100_80GB, 18L << 30).policy())
                .isEqualTo(ActivationPolicy.KEEP_LAYER_INPUTS);
    }

    @Test
    void moreMemoryNeverKeepsLess() {
        ActivationPolicy before = ActivationPolicy.KEEP_LAYER_INPUTS;
        for (int gibibytes = 18; gibibytes <= 80; gibibytes++) {
            ActivationPolicy policy = onGpu(load(16, 16, 512), DeviceSpec.H100_80GB, (long) gibibytes << 30)
                    .policy();
            assertThat(policy).as("%d GiB", gibibytes).isLessThanOrEqualTo(before);
            before = policy;
        }
        assertThat(before).isEqualTo(ActivationPolicy.KEEP_ALL);
    }

    @Test
    void whatFitsUnderNoOtherPolicyKeepsLayerInputs() {
        MemoryModel memory = new MemoryModel(TINY, DType.F32, DType.F32, 64);
        MemoryModel inputs = memory.withActivationPolicy(ActivationPolicy.KEEP_LAYER_INPUTS);
        ActivationChoice.Load load = load(4, 16, 200);
        LoraConfig config = load.configs().get(0);
        long alone = inputs.baseBytes(1) + inputs.adapterBytes(config, 1) + 200 * inputs.tokenBytes(config, 1);

        assertThat(onCpu(load, memory, alone, null).policy()).isEqualTo(ActivationPolicy.KEEP_LAYER_INPUTS);
        assertThat(onCpu(load, memory, alone / 2, null).policy()).isEqualTo(ActivationPolicy.KEEP_LAYER_INPUTS);
    }

    @Test
    void theCpuTakesTwoThousandTokensUnlessTold() {
        MemoryModel memory = new MemoryModel(TINY, DType.F32, DType.F32, 64);

        assertThat(onCpu(load(4, 16, 20), memory, 4L << 30, null))
                .isEqualTo(new ActivationChoice(ActivationPolicy.KEEP_ALL, 2048));
        assertThat(onCpu(load(4, 16, 20), memory, 4L << 30, 100).tokenBudget()).isEqualTo(100);
    }

    @Test
    void aFastDeviceTakesMoreTokensThanASlowOne() {
        int h100 = onGpu(load(32, 32, 64), DeviceSpec.H100_80GB, 75L << 30).tokenBudget();
        int l4 = onGpu(load(32, 32, 64), DeviceSpec.L4, 75L << 30).tokenBudget();

        assertThat(h100).isBetween(1024, 16_384).isGreaterThanOrEqualTo(l4);
    }

    @Test
    void passesOfFewSamplesThatComeAgainDoNotKeepManyFromPaying() {
        ModelConfig model = ModelShapes.of("Qwen2.5-0.5B");
        ActivationChoice choice = ActivationChoice.of(
                load(120, 8, 23),
                MemoryModel.onGpu(model),
                policy -> new RooflineTime(model, DeviceSpec.H100_80GB, WeightFormat.PLAIN, policy),
                70L << 30,
                null);

        assertThat(choice.tokenBudget()).isGreaterThanOrEqualTo(1024);
    }

    @Test
    void aLoadNeedsConfigurationsAndTokens() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ActivationChoice.Load(List.of(), 10, 20))
                .withMessageContaining("(0) configurations");
        assertThatIllegalArgumentException().isThrownBy(() -> load(1, 8, 0));
    }

    private static ActivationChoice onGpu(ActivationChoice.Load load, DeviceSpec device, long memoryBytes) {
        return ActivationChoice.of(
                load,
                MemoryModel.onGpu(SEVEN_BILLION),
                policy -> new RooflineTime(SEVEN_BILLION, device, WeightFormat.PLAIN, policy),
                memoryBytes,
                null);
    }

    private static ActivationChoice onCpu(
            ActivationChoice.Load load, MemoryModel memory, long memoryBytes, Integer mostTokens) {
        return ActivationChoice.of(load, memory, policy -> new NominalTime(TINY, policy), memoryBytes, mostTokens);
    }

    private static ActivationChoice.Load load(int adapters, int rank, int tokens) {
        List<LoraConfig> configs = new ArrayList<>();
        for (int i = 0; i < adapters; i++) {
            configs.add(LoraConfig.builder().withRank(rank).withSeed(i).build());
        }
        return new ActivationChoice.Load(configs, tokens, tokens);
    }
}
