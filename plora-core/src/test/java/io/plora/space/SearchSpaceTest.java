package io.plora.space;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.kernels.OptimizerStep;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SearchSpaceTest {

    @Test
    void gridIsEveryCombination() {
        List<LoraConfig> configs = SearchSpace.grid()
                .rank(8, 16, 32)
                .alphaOverRank(0.5, 1, 2)
                .learningRate(1e-4, 4e-4)
                .batchSize(1, 4)
                .configs();

        assertThat(configs).hasSize(36).doesNotHaveDuplicates();
        assertThat(configs)
                .allSatisfy(config -> assertThat(config.alpha() / config.rank()).isIn(0.5, 1.0, 2.0));
        assertThat(configs.get(0))
                .isEqualTo(LoraConfig.builder()
                        .withRank(8)
                        .withAlpha(4)
                        .withLearningRate(1e-4)
                        .withBatchSize(1)
                        .build());
        assertThat(configs.get(1).batchSize()).isEqualTo(4);
    }

    @Test
    void orderOfTheCallsDoesNotMatter() {
        assertThat(SearchSpace.grid().alphaOverRank(1, 2).rank(4, 8).configs())
                .isEqualTo(SearchSpace.grid().rank(4, 8).alphaOverRank(1, 2).configs());
    }

    @Test
    void gridVariesEveryField() {
        List<LoraConfig> configs = SearchSpace.grid()
                .rank(4, 8)
                .alpha(8, 16)
                .learningRate(1e-4, 2e-4)
                .batchSize(1, 2)
                .dropout(0, 0.1)
                .targetModules("q_proj", "v_proj")
                .targetModules(Set.of(TargetModule.DOWN_PROJ))
                .weightDecay(0, 0.01)
                .warmupRatio(0, 0.1)
                .schedule(Schedule.LINEAR, Schedule.COSINE)
                .rankStabilized(true, false)
                .loraPlusRatio(1, 16)
                .maxGradientNorm(0, 1)
                .optimizer(OptimizerStep.Rule.ADAMW, OptimizerStep.Rule.SGD)
                .seeds(1, 2)
                .configs();

        assertThat(configs).hasSize(1 << 14);
        assertThat(configs.stream().map(LoraConfig::targetModules).distinct())
                .containsExactly(Set.of(TargetModule.Q_PROJ, TargetModule.V_PROJ), Set.of(TargetModule.DOWN_PROJ));
    }

    @Test
    void emptyGridIsTheDefaultConfiguration() {
        assertThat(SearchSpace.grid().configs())
                .containsExactly(LoraConfig.builder().build());
    }

    @Test
    void spacesAreImmutable() {
        GridSpace ranks = SearchSpace.grid().rank(4, 8);
        ranks.batchSize(1, 2);

        assertThat(ranks.configs()).hasSize(2);
    }

    @Test
    void constraintNarrowsASpace() {
        assertThat(SearchSpace.grid()
                        .rank(8, 64)
                        .batchSize(1, 4)
                        .where(config -> config.rank() < 64 || config.batchSize() == 1)
                        .configs())
                .hasSize(3);
    }

    @Test
    void unionKeepsTheOrderAndLeavesOutDuplicates() {
        SearchSpace space =
                SearchSpace.grid().rank(8, 16).and(SearchSpace.grid().rank(16, 32));

        assertThat(space.configs()).extracting(LoraConfig::rank).containsExactly(8, 16, 32);
    }

    @Test
    void listIsTakenAsItIs() {
        List<LoraConfig> configs = SearchSpace.grid().rank(32, 8).configs();

        assertThat(SearchSpace.of(configs).configs()).isEqualTo(configs);
    }

    @Test
    void emptySpaceSaysWhy() {
        SearchSpace nothing = SearchSpace.grid().rank(4, 8).where(config -> config.rank() > 8);

        assertThatThrownBy(nothing::configs)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The search space is empty: none of (2) configurations satisfies the constraint. "
                        + "Maybe relax where(...).");
        assertThatThrownBy(() -> SearchSpace.of(List.of())
                        .where(config -> true)
                        .and(nothing)
                        .configs())
                .hasMessageStartingWith("The search space is empty: the list has no configuration; none of (2)");
    }

    @Test
    void badValueIsRefusedWhenItIsNamed() {
        assertThatThrownBy(() -> SearchSpace.grid().rank(8, 0)).hasMessageContaining("rank (0) must be from 1 to 256");
        assertThatThrownBy(() -> SearchSpace.grid().learningRate(-1e-4))
                .hasMessageContaining("learningRate (-1.0E-4) must be zero or positive");
        assertThatThrownBy(() -> SearchSpace.grid().alphaOverRank(-0.5))
                .hasMessage("LoRA configuration: alpha over rank (-0.5) must be positive.");
        assertThatThrownBy(() -> SearchSpace.grid().targetModules("attention"))
                .hasMessageContaining("Unknown target module (attention)");
        assertThatThrownBy(() -> SearchSpace.random(3, 1).dropout(0, 1.5)).hasMessageContaining("dropout (1.5)");
    }

    @Test
    void fieldIsSetOnceAndHasAValue() {
        assertThatThrownBy(() -> SearchSpace.grid().rank(8).rank(16))
                .hasMessage("Search space: (rank) is already set. Maybe name all its values in one call.");
        assertThatThrownBy(() -> SearchSpace.grid().alpha(8).alphaOverRank(2))
                .hasMessageContaining("both (alpha) and (alpha_over_rank) are set");
        assertThatThrownBy(() -> SearchSpace.grid().batchSize()).hasMessage("Search space: (batch_size) has no value.");
    }
}
