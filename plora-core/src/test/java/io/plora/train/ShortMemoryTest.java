package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.Tensor;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.DecoderWeights;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Memory that is smaller than planned, because another process has taken it. */
class ShortMemoryTest {
    private static final int SEED = 5;

    private final ModelConfig model = RandomModel.shapeForGpu(new SplittableRandom(SEED));

    @Test
    void aStepThatDoesNotFitIsMadeInSeveralPassesWithTheSameResult() {
        requireSameResultInSeveralPasses(ReferenceKernels::new, 1e-6);
    }

    @Tag("gpu")
    @Test
    void aStepThatDoesNotFitAGpuIsMadeInSeveralPassesWithTheSameResult() {
        requireSameResultInSeveralPasses(Gpu::kernels, 0.02);
    }

    private void requireSameResultInSeveralPasses(Supplier<Kernels> opened, double tolerance) {
        Outcome all = trained(opened, Long.MAX_VALUE);
        Outcome halves = trained(opened, all.largest() / 2);

        assertThat(all.passes()).isEqualTo(4);
        assertThat(halves.passes()).isGreaterThan(4);
        assertThat(halves.largest()).isLessThanOrEqualTo(all.largest() / 2);
        for (int i = 0; i < all.results().size(); i++) {
            assertThat(Vectors.relativeError(
                            halves.results().get(i), all.results().get(i)))
                    .isLessThan(tolerance);
        }
    }

    @Test
    void aSampleThatDoesNotFitEndsTheTrainingSayingSo() {
        assertThatExceptionOfType(OutOfMemoryError.class)
                .isThrownBy(() -> trained(ReferenceKernels::new, 100))
                .withMessage("Refused.");
    }

    @Test
    void evaluationIsMadeInMorePassesToo() {
        try (Limited kernels = new Limited(new ReferenceKernels())) {
            PackedTrainer trainer = new PackedTrainer(model, weights(kernels), kernels.proxy());
            List<AdapterWeights> adapters =
                    members(kernels).stream().map(Training::weights).toList();
            double[][] whole = trainer.evaluate(adapters, samples(), 1000);
            assertThat(kernels.passes).isEqualTo(1);
            trainer.release();
            kernels.limit = kernels.largest / 3;

            assertThat(trainer.evaluate(adapters, samples(), 1000)).isDeepEqualTo(whole);
            assertThat(kernels.passes).isGreaterThan(3);
        }
    }

    @Test
    void memoryIsLaidOutForTheLargestPassThatIsAnnouncedAndFits() {
        NoKernels kernels = new NoKernels(1L << 30);
        PackedTrainer trainer = new PackedTrainer(model, RandomModel.weights(model, kernels, SEED), kernels);
        List<Training> members = members(kernels);
        members.forEach(trainer::join);
        trainer.reserve(1000);
        trainer.step(Map.of(members.get(0), 1));
        long laidOut = kernels.bytes();
        trainer.step(batches(members));
        assertThat(kernels.bytes()).isEqualTo(laidOut);

        trainer.release();
        trainer.reserve(100_000_000);
        trainer.step(Map.of(members.get(1), 1));
        assertThat(kernels.bytes()).isGreaterThan(laidOut).isLessThan(1L << 30);
    }

    @Test
    void memoryThatIsReservedGivesWayToThePass() {
        try (Limited kernels = new Limited(new ReferenceKernels())) {
            PackedTrainer trainer = new PackedTrainer(model, weights(kernels), kernels.proxy());
            List<Training> members = members(kernels);
            members.forEach(trainer::join);
            kernels.mostLosses = 100; // as if the loss needed memory that a larger layout has taken
            trainer.reserve(500);

            assertThat(trainer.step(batches(members)).rows()).isLessThan(100);
            assertThat(kernels.passes).isEqualTo(2);
        }
    }

    private record Outcome(List<float[]> results, int passes, long largest) {}

    /** Two steps of whole batches where activations of more than so many bytes in one tensor are refused. */
    private Outcome trained(Supplier<Kernels> opened, long limit) {
        try (Limited kernels = new Limited(opened.get())) {
            PackedTrainer trainer = new PackedTrainer(model, weights(kernels), kernels.proxy());
            List<Training> members = members(kernels);
            members.forEach(trainer::join);
            kernels.largest = 0;
            kernels.limit = limit;
            List<float[]> results = new ArrayList<>();
            for (int step = 0; step < 4; step++) {
                float[] losses = new float[members.size()];
                for (StepReport.Member report : trainer.step(batches(members)).members()) {
                    losses[members.indexOf(report.training())] =
                            (float) report.batch().loss();
                    assertThat(report.samples())
                            .isEqualTo(report.training().config().batchSize());
                }
                results.add(losses);
            }
            members.forEach(member -> results.add(member.weights().parameters()));
            return new Outcome(results, kernels.passes, kernels.largest);
        }
    }

    private DecoderWeights weights(Limited kernels) {
        return RandomModel.weights(model, kernels.proxy(), SEED);
    }

    private List<Training> members(Limited kernels) {
        return members(kernels.proxy());
    }

    private List<Training> members(Kernels kernels) {
        List<Training> members = new ArrayList<>();
        for (int batchSize = 1; batchSize <= 3; batchSize++) {
            LoraConfig config = LoraConfig.builder()
                    .withRank(2 * batchSize)
                    .withBatchSize(batchSize)
                    .withDropout(0.1)
                    .withSeed(batchSize)
                    .build();
            Dataset data = new Dataset("samples", samples(), 0, 0);
            members.add(
                    new Training(AdapterWeights.initialize(model, config, kernels), data, 4, Training.Position.START));
        }
        return members;
    }

    private List<Sample> samples() {
        SplittableRandom random = new SplittableRandom(SEED);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            int[] tokens = random.ints(4 + random.nextInt(8), 0, model.vocabularySize())
                    .toArray();
            boolean[] answer = new boolean[tokens.length];
            answer[tokens.length - 1] = true;
            samples.add(new Sample(tokens, answer));
        }
        return samples;
    }

    private static Map<Training, Integer> batches(List<Training> members) {
        Map<Training, Integer> samples = new LinkedHashMap<>();
        members.forEach(member -> samples.put(member, member.batchRemaining()));
        return samples;
    }

    /** Kernels that refuse large tensors. */
    private static final class Limited implements AutoCloseable {
        private final Kernels kernels;
        private long limit = Long.MAX_VALUE;
        private long mostLosses = Long.MAX_VALUE;
        private long largest;
        private int passes;

        private Limited(Kernels kernels) {
            this.kernels = kernels;
        }

        private Kernels proxy() {
            return (Kernels) Proxy.newProxyInstance(
                    Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                        try {
                            if (method.getName().equals("crossEntropy")
                                    && ((Tensor) arguments[3]).size() > mostLosses) {
                                throw new OutOfMemoryError("Refused.");
                            }
                            Object result = method.invoke(kernels, arguments);
                            if (result instanceof Tensor tensor) {
                                if (tensor.bytes() > limit) {
                                    throw new OutOfMemoryError("Refused.");
                                }
                                largest = Math.max(largest, tensor.bytes());
                            }
                            passes += method.getName().equals("embed") ? 1 : 0;
                            return result;
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
        }

        @Override
        public void close() {
            kernels.close();
        }
    }
}
