package io.plora.space;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.plora.kernels.OptimizerStep;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RandomSpaceTest {

    private static RandomSpace space(int count) {
        return SearchSpace.random(count, 7)
                .rank(8, 16, 32)
                .alphaOverRank(0.25, 4)
                .learningRate(2e-5, 4e-4)
                .batchSize(1, 4);
    }

    @Test
    void configurationDoesNotDependOnHowManyAreDrawn() {
        assertThat(space(50).configs()).startsWith(space(10).configs().toArray(LoraConfig[]::new));
    }

    @Test
    void valueDoesNotDependOnTheOtherFields() {
        assertThat(space(10).dropout(0, 0.2).configs())
                .extracting(LoraConfig::learningRate)
                .isEqualTo(space(10).configs().stream()
                        .map(LoraConfig::learningRate)
                        .toList());
    }

    @Test
    void seedDecides() {
        assertThat(space(10).configs()).isEqualTo(space(10).configs());
        assertThat(SearchSpace.random(10, 8).learningRate(2e-5, 4e-4).configs())
                .extracting(LoraConfig::learningRate)
                .doesNotContainAnyElementsOf(space(10).configs().stream()
                        .map(LoraConfig::learningRate)
                        .toList());
    }

    @Test
    void valuesCoverTheirRanges() {
        List<LoraConfig> configs = space(2000).configs();

        assertThat(configs).extracting(LoraConfig::rank).containsOnly(8, 16, 32);
        assertThat(configs).extracting(LoraConfig::batchSize).containsOnly(1, 4);
        assertThat(configs)
                .allSatisfy(config -> assertThat(config.alpha() / config.rank()).isBetween(0.25, 4.0));
        assertThat(configs)
                .allSatisfy(config -> assertThat(config.learningRate()).isBetween(2e-5, 4e-4));
    }

    @Test
    void learningRateIsLogUniform() {
        double geometricMiddle = Math.sqrt(2e-5 * 4e-4);
        long below = space(2000).configs().stream()
                .filter(config -> config.learningRate() < geometricMiddle)
                .count();

        assertThat(below / 2000.0).isCloseTo(0.5, within(0.04));
    }

    @Test
    void everyFieldCanBeDrawn() {
        List<LoraConfig> configs = SearchSpace.random(40, 1)
                .alpha(8, 64)
                .dropout(0, 0.2)
                .targetModules("q_proj", "v_proj")
                .targetModules(Set.of(TargetModule.DOWN_PROJ))
                .weightDecay(1e-4, 1e-1)
                .warmupRatio(0, 0.1)
                .schedule(Schedule.values())
                .rankStabilized(true, false)
                .loraPlusRatio(1, 16)
                .maxGradientNorm(0, 1)
                .optimizer(OptimizerStep.Rule.values())
                .seeds(1, 2, 3)
                .configs();

        assertThat(configs).extracting(LoraConfig::alpha).doesNotHaveDuplicates();
        assertThat(configs).extracting(LoraConfig::targetModules).contains(Set.of(TargetModule.DOWN_PROJ));
        assertThat(configs).extracting(LoraConfig::schedule).contains(Schedule.values());
        assertThat(configs).extracting(LoraConfig::optimizer).contains(OptimizerStep.Rule.values());
        assertThat(configs).extracting(LoraConfig::seed).containsOnly(1L, 2L, 3L);
    }

    @Test
    void badRangeIsRefused() {
        RandomSpace space = SearchSpace.random(3, 1);

        assertThatThrownBy(() -> space.learningRate(1e-3, 1e-4))
                .hasMessage(
                        "Search space: the range of (learning_rate) is from (0.001) to (1.0E-4). Maybe swap the two.");
        assertThatThrownBy(() -> space.weightDecay(0, 0.1))
                .hasMessage("Search space: (weight_decay) is drawn log-uniformly, its low end (0.0) must be positive.");
        assertThatThrownBy(() -> SearchSpace.random(0, 1)).hasMessageContaining("count (0) must be at least 1");
    }
}
