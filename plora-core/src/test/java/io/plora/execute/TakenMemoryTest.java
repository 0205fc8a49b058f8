package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.LoraSweep;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.data.Sample;
import io.plora.data.TrainingData;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.cuda.CudaKernels;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import io.plora.train.Gpu;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Memory of a GPU that somebody else takes after the device was made and before the sweep takes it. */
@Tag("gpu")
class TakenMemoryTest {
    private static final int TOKENS = 1024;
    private static final int BATCH = 16;
    private static final List<LoraConfig> CONFIGS = List.of(
            TinySweeps.config(8, BATCH).build(),
            TinySweeps.config(16, BATCH).build(),
            TinySweeps.config(32, BATCH).build(),
            TinySweeps.config(64, BATCH).build());
    private static final int ALL_BATCHES = CONFIGS.size() * BATCH * TOKENS;

    private final AtomicInteger mostRows = new AtomicInteger();
    private final AtomicLong peak = new AtomicLong(); // bytes that the sweep has taken

    @TempDir
    private Path folder;

    @BeforeAll
    static void needsAGpu() {
        Gpu.assumeAvailable();
    }

    @Test
    void passesAreSmallerThenAndTheResultIsTheSame() {
        SweepResult inMuch = sweep("much", ComputeDevice.cuda(0)).run();
        int rowsInMuch = mostRows.getAndSet(0);
        long left = peak.get() * 3 / 4;
        LoraSweep sweep = sweep("little", ComputeDevice.cuda(0));
        SweepResult inLittle;
        try (Kernels other = new CudaKernels(0, CudaKernels.freeBytes(0) - left)) {
            assertThat(other.description()).contains("CUDA");
            inLittle = sweep.run();
        }

        assertThat(mostRows.get()).isBetween(TOKENS - 1, rowsInMuch / 2);
        assertThat(inLittle.ranking()).extracting(Trial::status).containsOnly(Trial.Status.FINISHED);
        for (LoraConfig config : CONFIGS) {
            assertThat(TinySweeps.relativeError(TinySweeps.last(inLittle, config), TinySweeps.last(inMuch, config)))
                    .as(config.id())
                    .isLessThan(0.05);
        }
    }

    private LoraSweep sweep(String name, ComputeDevice device) {
        return LoraSweep.builder()
                .withBaseModel(TinySweeps.MODEL)
                .withOutput(folder.resolve(name))
                .withTrainingData(TrainingData.ofSamples(samples(2 * BATCH)))
                .withValidationData(TrainingData.ofSamples(samples(1)))
                .withSpace(SearchSpace.of(CONFIGS))
                .withEpochs(1)
                .withTokenBudget(ALL_BATCHES)
                .withDevice(TestDevice.around(device, (call, method, arguments) -> {
                    Object result = call.proceed();
                    if (method.getName().equals("embed")) {
                        mostRows.accumulateAndGet(((PackedBatch) arguments[1]).rows(), Math::max);
                        peak.set(((CudaKernels) call.kernels()).peakBytes());
                    }
                    return result;
                }))
                .build();
    }

    private static List<Sample> samples(int count) {
        SplittableRandom random = new SplittableRandom(count);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            boolean[] answer = new boolean[TOKENS];
            Arrays.fill(answer, 1, TOKENS, true);
            samples.add(new Sample(random.ints(TOKENS, 300, 400).toArray(), answer));
        }
        return samples;
    }
}
