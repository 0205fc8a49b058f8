package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.plora.SweepResult;
import io.plora.cost.ActivationPolicy;
import io.plora.cost.MemoryModel;
import io.plora.data.Sample;
import io.plora.kernels.Tensor;
import io.plora.model.BaseModel;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.train.Gpu;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A whole sweep within the memory that its device names. */
class DeviceMemoryTest {
    private static final LoraConfig LARGEST = TinySweeps.CONFIGS.get(2);
    private static final int LONGEST = Stream.concat(
                    TinySweeps.sampleList(1, TinySweeps.SAMPLES).stream(), TinySweeps.sampleList(2, 4).stream())
            .mapToInt(Sample::rows)
            .max()
            .orElseThrow();
    private static final long ROTARY_TABLE = (LONGEST + 1) * 32 * Float.BYTES; // which the model does not count
    private static final long LOGITS = 512 * 4096 * Float.BYTES; // which the CPU's kernels hold themselves

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource
    void aSweepEndsTheSameInJustTheMemoryThatAPolicyNeeds(ActivationPolicy policy) {
        long memory = needed(policy);
        AtomicLong live = new AtomicLong();
        AtomicLong peak = new AtomicLong();
        TestDevice small = TestDevice.of("small", memory, (call, method, arguments) -> {
            Object result = call.proceed();
            if (result instanceof Tensor taken) {
                peak.accumulateAndGet(live.addAndGet(taken.bytes()), Math::max);
            } else if (method.getName().equals("release")) {
                live.addAndGet(-((Tensor) arguments[0]).bytes());
            }
            return result;
        });

        SweepResult inLittle = TinySweeps.sweep(folder.resolve("little"))
                .withDevice(small)
                .build()
                .run();
        SweepResult inMuch = TinySweeps.sweep(folder.resolve("much")).build().run();

        assertThat(peak.get() + LOGITS - ROTARY_TABLE).isBetween(memory - (memory - LOGITS) / 10, memory);
        for (LoraConfig config : TinySweeps.CONFIGS) {
            assertThat(TinySweeps.relativeError(TinySweeps.last(inLittle, config), TinySweeps.last(inMuch, config)))
                    .as(config.id())
                    .isLessThan(1e-4);
        }
    }

    @Tag("gpu")
    @ParameterizedTest
    @EnumSource
    void aSweepEndsTheSameInJustThatMemoryOfAGpu(ActivationPolicy policy) {
        Gpu.assumeAvailable();
        SweepResult inLittle = TinySweeps.sweep(folder.resolve("little"))
                .withDevice(ComputeDevice.cuda(0, needed(policy, ComputeDevice.cuda(0, 1))))
                .build()
                .run();
        SweepResult inMuch = TinySweeps.sweep(folder.resolve("much"))
                .withDevice(ComputeDevice.cuda(0, 1L << 30))
                .build()
                .run();

        for (LoraConfig config : TinySweeps.CONFIGS) {
            assertThat(TinySweeps.relativeError(TinySweeps.last(inLittle, config), TinySweeps.last(inMuch, config)))
                    .as(config.id())
                    .isLessThan(0.05);
        }
    }

    @Test
    void memoryThatNoPolicyCanDoWithIsRefused() {
        long memory = needed(ActivationPolicy.KEEP_LAYER_INPUTS) - 1;
        assertThatIllegalArgumentException()
                .isThrownBy(TinySweeps.sweep(folder)
                        .withDevice(TestDevice.of("small", memory))
                        .build()::run)
                .withMessageContaining("even alone, with the longest sample of (%d) tokens", LONGEST);
    }

    /** What the largest adapter with the longest sample takes alone. */
    private static long needed(ActivationPolicy policy) {
        return needed(policy, ComputeDevice.cpu(1, 1));
    }

    private static long needed(ActivationPolicy policy, ComputeDevice device) {
        try (BaseModel base = BaseModel.open(TinySweeps.MODEL)) {
            ModelConfig model = base.config();
            MemoryModel memory = device.memory(model).withActivationPolicy(policy);
            return memory.baseBytes(1) + memory.adapterBytes(LARGEST, 1) + LONGEST * memory.tokenBytes(LARGEST, 1);
        }
    }
}
