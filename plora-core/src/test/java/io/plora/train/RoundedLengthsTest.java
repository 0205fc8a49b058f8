package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.cost.ModelShapes;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
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
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Passes of few samples on kernels that replay, against passes of the samples' own lengths. */
class RoundedLengthsTest {
    private static final int LONGEST = 19;
    private static final int SAMPLES = 10;
    private static final int ENOUGH = 1000;

    private final SplittableRandom random = new SplittableRandom(3);
    private final ModelConfig model = RandomModel.shape(random);
    private final Dataset data = new Dataset(
            "random samples", Stream.generate(this::sample).limit(SAMPLES).toList(), 0, 0);

    private Sample sample() {
        int[] tokens = random.ints(3 + random.nextInt(LONGEST - 2), 0, model.vocabularySize())
                .toArray();
        boolean[] answer = new boolean[tokens.length];
        answer[tokens.length - 1] = true;
        answer[2] = true;
        return new Sample(tokens, answer);
    }

    /** An epoch of a group on the reference kernels, an optimizer step of each adapter at a time. */
    private final class Epoch {
        private final Kernels kernels = new ReferenceKernels();
        private final List<PackedBatch> batches = new ArrayList<>();
        private final List<Double> losses = new ArrayList<>();
        private final List<List<float[]>> gradients;
        private int rows;

        private Epoch(boolean replays, int reserved, int... batchSizes) {
            RecordingKernels recording = new RecordingKernels(proxy(replays));
            PackedTrainer trainer = new PackedTrainer(model, weights(), recording.kernels());
            trainer.reserve(reserved);
            List<Training> members = IntStream.range(0, batchSizes.length)
                    .mapToObj(i -> training(batchSizes[i], i))
                    .toList();
            members.forEach(trainer::join);
            while (!members.get(0).isDone()) {
                Map<Training, Integer> samples = new LinkedHashMap<>();
                members.forEach(member -> samples.put(member, member.batchRemaining()));
                StepReport report = trainer.step(samples);
                rows += report.rows();
                report.members()
                        .forEach(member -> losses.add(
                                Objects.requireNonNull(member.batch()).loss()));
            }
            gradients = members.stream()
                    .map(member -> recording.gradients(member.weights()))
                    .toList();
        }

        /** No sample is longer than the table of rotations. */
        private DecoderWeights weights() {
            DecoderWeights all = RandomModel.weights(model, kernels, 1);
            return new DecoderWeights(
                    all.embedding(),
                    all.layers(),
                    all.finalNorm(),
                    all.lmHead(),
                    all.rotary().rows(0, LONGEST));
        }

        private Training training(int batchSize, int seed) {
            LoraConfig config = LoraConfig.builder()
                    .withRank(4)
                    .withLearningRate(0.01)
                    .withBatchSize(batchSize)
                    .withDropout(0.1)
                    .withSeed(seed)
                    .build();
            return new Training(AdapterWeights.initialize(model, config, kernels), data, 1, Training.Position.START);
        }

        private Kernels proxy(boolean replays) {
            return (Kernels) Proxy.newProxyInstance(
                    Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (proxy, method, arguments) -> {
                        if (method.getName().equals("replays")) {
                            return replays;
                        }
                        if (method.getName().equals("embed")) {
                            batches.add((PackedBatch) arguments[1]);
                        }
                        try {
                            return method.invoke(kernels, arguments);
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
        }

        private List<Integer> lengths() {
            return batches.stream().flatMap(batch -> lengths(batch).stream()).toList();
        }

        private static List<Integer> lengths(PackedBatch batch) {
            return IntStream.range(0, batch.sequences())
                    .mapToObj(i -> batch.sequenceEnd(i) - batch.sequenceStart(i))
                    .toList();
        }
    }

    @Test
    void lossesAndGradientsAreThoseOfTheSamplesAsTheyAre() {
        Epoch rounded = new Epoch(true, ENOUGH, 2, 2);
        Epoch own = new Epoch(false, ENOUGH, 2, 2);

        assertThat(rounded.lengths()).isNotEqualTo(own.lengths());
        assertThat(rounded.rows).isEqualTo(own.rows);
        assertThat(rounded.losses).hasSize(2 * SAMPLES / 2);
        for (int i = 0; i < own.losses.size(); i++) {
            assertThat(rounded.losses.get(i) / own.losses.get(i) - 1).isBetween(-1e-9, 1e-9);
        }
        for (int member = 0; member < 2; member++) {
            for (int step = 0; step < SAMPLES / 2; step++) {
                assertThat(Vectors.relativeError(
                                rounded.gradients.get(member).get(step),
                                own.gradients.get(member).get(step)))
                        .isLessThan(1e-5);
            }
        }
    }

    @Test
    void lengthsAreMultiplesOrTheLongestThatThereMayBe() {
        assertThat(new Epoch(true, ENOUGH, 1).lengths()).containsOnly(16, LONGEST);
    }

    @Test
    void modelsOfLargeLayersGetFewerRowsMore() {
        SampleLengths small = SampleLengths.alike(ModelShapes.of("Qwen2.5-1.5B"), 100);
        SampleLengths large = SampleLengths.alike(ModelShapes.of("Qwen2.5-7B"), 100);

        assertThat(small).isEqualTo(new SampleLengths(16, 100, 8));
        assertThat(large).isEqualTo(new SampleLengths(8, 100, 4));
        assertThat(SampleLengths.OWN.of(data.samples().get(0)))
                .isEqualTo(data.samples().get(0).rows());
    }

    @Test
    void shorterSamplesOfABatchComeFirst() {
        assertThat(new Epoch(true, ENOUGH, 4).batches)
                .allSatisfy(batch -> assertThat(Epoch.lengths(batch)).isSorted());
    }

    @Test
    void passesOfManySamplesOrOfMoreRowsThanAreReservedAreAsTheyAre() {
        List<Integer> many = new Epoch(false, ENOUGH, 5, 5).lengths();
        List<Integer> few = new Epoch(false, 0, 2).lengths();

        assertThat(new Epoch(true, ENOUGH, 5, 5).lengths()).isEqualTo(many);
        assertThat(new Epoch(true, 0, 2).lengths()).isEqualTo(few);
    }
}
