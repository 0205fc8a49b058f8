package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import io.plora.cost.ActivationPolicy;
import io.plora.cost.GroupMemory;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.Tensor;
import io.plora.kernels.cpu.CpuKernels;
import io.plora.model.BaseModel;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import io.plora.train.Training;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The memory model against what the engine allocates. */
class MemoryModelTruthTest {
    private static final LoraConfig SMALL = TinySweeps.CONFIGS.get(3);
    private static final LoraConfig LARGE = TinySweeps.config(64, 3).build();

    @Test
    void predictsWhatBaseModelAdaptersAndTokensTake() {
        AtomicLong allocated = new AtomicLong();
        TestDevice device = TestDevice.of((call, method, arguments) -> {
            Object result = call.proceed();
            if (method.getName().equals("allocate")) {
                allocated.addAndGet(((Tensor) result).bytes());
            }
            return result;
        });
        try (BaseModel base = BaseModel.open(TinySweeps.MODEL);
                Kernels kernels = device.open()) {
            ModelConfig model = base.config();
            GroupMemory memory = device.memory(model);
            List<Sample> samples = TinySweeps.sampleList(3, 3);
            Dataset data = new Dataset("samples", samples, 0, 0);
            long logits =
                    (long) CpuKernels.lossChunkRows(model.vocabularySize()) * model.vocabularySize() * Float.BYTES;

            PackedTrainer trainer = new PackedTrainer(model, DecoderWeights.load(base, kernels, 20), kernels);
            assertThat(allocated.getAndSet(0)).isCloseTo(memory.baseBytes(1) - logits, withinPercentage(5));

            Training small =
                    new Training(AdapterWeights.initialize(model, SMALL, kernels), data, 1, Training.Position.START);
            Training large =
                    new Training(AdapterWeights.initialize(model, LARGE, kernels), data, 1, Training.Position.START);
            assertThat(allocated.getAndSet(0))
                    .isCloseTo(memory.adapterBytes(SMALL, 1) + memory.adapterBytes(LARGE, 1), withinPercentage(5));

            trainer.join(small);
            trainer.join(large);
            int rows = trainer.step(Map.of(small, 2, large, 3)).rows();
            long rowsOfLarge = samples.stream().mapToInt(Sample::rows).sum();
            assertThat(allocated.get())
                    .isCloseTo(
                            memory.tokenBytes(LARGE, 1) * rowsOfLarge
                                    + memory.tokenBytes(SMALL, 1) * (rows - rowsOfLarge),
                            withinPercentage(5));
        }
    }

    @Test
    void evaluationKeepsWithinTheMemoryThatTrainingHas(@TempDir Path folder) {
        int tokens = 30;
        AtomicInteger mostRows = new AtomicInteger();
        TestDevice small = TestDevice.of("small", roomFor(LARGE, tokens), (call, method, arguments) -> {
            if (method.getName().equals("crossEntropy")) {
                mostRows.accumulateAndGet(((PackedBatch) arguments[2]).rows(), Math::max);
            }
            return call.proceed();
        });
        TinySweeps.sweep(folder, List.of(LARGE)).withDevice(small).build().run();

        // the sweep computes pointwise results again, so that more tokens fit than if it kept them
        assertThat(mostRows.get()).isBetween(20, tokensIn(small.memoryBytes(), ActivationPolicy.RECOMPUTE_POINTWISE));
    }

    private static int tokensIn(long bytes, ActivationPolicy policy) {
        try (BaseModel base = BaseModel.open(TinySweeps.MODEL)) {
            GroupMemory memory = ComputeDevice.cpu(1, 1).memory(base.config()).withActivationPolicy(policy);
            return (int) ((bytes - memory.baseBytes(1) - memory.adapterBytes(LARGE, 1)) / memory.tokenBytes(LARGE, 1));
        }
    }

    private static long roomFor(LoraConfig config, int tokens) {
        try (BaseModel base = BaseModel.open(TinySweeps.MODEL)) {
            GroupMemory memory = ComputeDevice.cpu(1, 1).memory(base.config());
            return memory.baseBytes(1) + memory.adapterBytes(config, 1) + tokens * memory.tokenBytes(config, 1);
        }
    }

    @Test
    void countsTheLogitsThatTheCpuHoldsAtOnce() {
        ComputeDevice cpu = ComputeDevice.cpu(1, 1);
        assertThat(cpu.lossChunkRows(4096)).isEqualTo(512);
        assertThat(cpu.lossChunkRows(151_936)).isEqualTo(64);
    }
}
