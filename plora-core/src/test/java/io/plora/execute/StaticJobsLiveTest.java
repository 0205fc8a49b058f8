package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.google.common.collect.ImmutableMap;
import com.google.common.primitives.Floats;
import io.plora.LoraSweep;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.data.Sample;
import io.plora.data.TrainingData;
import io.plora.plan.DtmPacking;
import io.plora.plan.MinGpu;
import io.plora.plan.OneByOne;
import io.plora.plan.PackingPolicy;
import io.plora.space.SearchSpace;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PLoRA's planner and baselines do not only plan: the executor runs them. */
class StaticJobsLiveTest {
    private static final Path MODEL = Path.of("../plora-examples/models/tiny-qwen2");

    @TempDir
    private Path folder;

    @Test
    void adaptersOfStaticJobsAreThoseTrainedOneByOne() {
        Map<String, float[]> alone = train(new OneByOne());
        Map<String, float[]> dtm = train(new DtmPacking());
        Map<String, float[]> minGpu = train(new MinGpu());

        assertThat(alone).hasSize(4);
        alone.forEach((id, expected) -> {
            assertThat(dtm.get(id)).as(id).containsExactly(expected, offset(1e-4f));
            assertThat(minGpu.get(id)).as(id).containsExactly(expected, offset(1e-4f));
        });
    }

    /** Last parameters by configuration. */
    private Map<String, float[]> train(PackingPolicy policy) {
        SweepResult result = LoraSweep.builder()
                .withBaseModel(MODEL)
                .withTrainingData(samples(10))
                .withValidationData(samples(3))
                .withSpace(SearchSpace.grid().rank(4, 8).batchSize(1, 3).learningRate(5e-4))
                .withPolicy(policy)
                .withTokenBudget(60)
                .withOutput(folder.resolve(policy.name()))
                .build()
                .run();
        ImmutableMap.Builder<String, float[]> parameters = ImmutableMap.builder();
        for (Trial trial : result.ranking()) {
            parameters.put(
                    trial.id(),
                    PeftAdapter.load(Objects.requireNonNull(trial.lastAdapter())).modules().values().stream()
                            .map(matrices -> Floats.concat(matrices.a(), matrices.b()))
                            .reduce(new float[0], Floats::concat));
        }
        return parameters.build();
    }

    private static TrainingData samples(int count) {
        SplittableRandom random = new SplittableRandom(count);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] tokens = random.ints(8 + random.nextInt(9), 300, 400).toArray();
            boolean[] answer = new boolean[tokens.length];
            Arrays.fill(answer, tokens.length / 2, tokens.length, true);
            samples.add(new Sample(tokens, answer));
        }
        return TrainingData.ofSamples(samples);
    }
}
