package io.plora.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.plora.cost.ActivationPolicy;
import io.plora.data.Sample;
import io.plora.kernels.Kernels;
import io.plora.kernels.PackedBatch;
import io.plora.kernels.reference.ReferenceKernels;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.nio.DoubleBuffer;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The whole hand-written backward pass against finite differences. */
class DecoderGradientTest {

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6})
    void gradientsOfTheWholeDecoderMatchFiniteDifferences(int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        ModelConfig model = RandomModel.shape(random);
        try (Kernels kernels = new ReferenceKernels()) {
            Decoder decoder =
                    new Decoder(model, RandomModel.weights(model, kernels, seed), kernels, ActivationPolicy.KEEP_ALL);
            AdapterWeights first = adapter(model, kernels, 3, 0.2, random);
            AdapterWeights second = adapter(model, kernels, 5, 0, random);
            GroupTables tables = new GroupTables(List.of(first, second), model.layers());
            PackedBatch batch = batch(model, List.of(first, second), random);
            decoder.forward(batch, tables);
            decoder.backward(batch, tables);

            for (AdapterWeights adapter : List.of(first, second)) {
                DoubleBuffer parameters = adapter.state().parameters().doubles();
                for (int check = 0; check < 25; check++) {
                    int i = random.nextInt(parameters.capacity());
                    double value = parameters.get(i);
                    double h = 1e-5;
                    parameters.put(i, value + h);
                    double plus = weightedLoss(decoder, batch, tables);
                    parameters.put(i, value - h);
                    double minus = weightedLoss(decoder, batch, tables);
                    parameters.put(i, value);
                    double expected = (plus - minus) / (2 * h);
                    assertThat(adapter.state().gradients().doubles().get(i))
                            .as("gradient of parameter %d", i)
                            .isCloseTo(expected, within(1e-6 + 1e-5 * Math.abs(expected)));
                }
            }
        }
    }

    private static AdapterWeights adapter(
            ModelConfig model, Kernels kernels, int rank, double dropout, SplittableRandom random) {
        LoraConfig config = LoraConfig.builder()
                .withRank(rank)
                .withAlpha(6)
                .withDropout(dropout)
                .withSeed(rank)
                .build();
        AdapterWeights weights = AdapterWeights.initialize(model, config, kernels);
        DoubleBuffer parameters = weights.state().parameters().doubles();
        for (int i = 0; i < parameters.capacity(); i++) {
            parameters.put(i, 0.2 * random.nextGaussian());
        }
        return weights;
    }

    private static PackedBatch batch(ModelConfig model, List<AdapterWeights> adapters, SplittableRandom random) {
        BatchBuilder builder = new BatchBuilder();
        for (AdapterWeights adapter : adapters) {
            builder.adapter();
            for (int sequence = 0; sequence < 2; sequence++) {
                int[] tokens = random.ints(3 + random.nextInt(5), 0, model.vocabularySize())
                        .toArray();
                boolean[] answer = new boolean[tokens.length];
                answer[tokens.length - 1] = true;
                answer[1] = true;
                builder.sample(new Sample(tokens, answer), 0.5f, adapter.config(), 0, sequence);
            }
        }
        return builder.forTraining();
    }

    private static double weightedLoss(Decoder decoder, PackedBatch batch, GroupTables tables) {
        double sum = 0;
        DoubleBuffer losses = decoder.rowLosses(batch, tables).doubles();
        for (int row = 0; row < batch.rows(); row++) {
            sum += batch.lossWeight(row) * losses.get(row);
        }
        return sum;
    }
}
