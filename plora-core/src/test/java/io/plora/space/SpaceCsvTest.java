package io.plora.space;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.kernels.OptimizerStep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpaceCsvTest {

    @TempDir
    private Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("space.csv"), text);
    }

    /** 120 configurations over the ranges of the paper's table 1. */
    @Test
    void readsASpaceLikeThePapers() throws IOException {
        List<String> lines = new ArrayList<>(List.of("rank,lora_alpha,learning_rate,batch_size"));
        for (int rank : new int[] {8, 16, 32, 64, 128}) {
            for (double ratio : new double[] {0.25, 1, 4}) {
                for (String rate : new String[] {"2e-5", "6e-5", "0.0002", "4E-4"}) {
                    for (int batch : new int[] {1, 32}) {
                        lines.add("%d,%s,%s,%d".formatted(rank, rank * ratio, rate, batch));
                    }
                }
            }
        }

        List<LoraConfig> configs =
                SearchSpace.csv(file(String.join("\n", lines))).configs();

        assertThat(configs).hasSize(120);
        assertThat(configs.get(119))
                .isEqualTo(LoraConfig.builder()
                        .withRank(128)
                        .withAlpha(512)
                        .withLearningRate(4e-4)
                        .withBatchSize(32)
                        .build());
    }

    @Test
    void readsEveryField() throws IOException {
        SearchSpace space = SearchSpace.csv(file("""
                        alpha_over_rank, rank, learning_rate, batch_size, dropout, target_modules, weight_decay, \
                        warmup_ratio, schedule, rank_stabilized, lora_plus_ratio, max_gradient_norm, optimizer, seed
                        2, 4, 1e-3, 2, 0.1, q_proj v_proj, 0.01, 0.05, cosine, true, 16, 0.5, sgd, 42

                        """));

        assertThat(space.configs())
                .containsExactly(LoraConfig.builder()
                        .withRank(4)
                        .withAlpha(8)
                        .withLearningRate(1e-3)
                        .withBatchSize(2)
                        .withDropout(0.1)
                        .withTargetModules(Set.of(TargetModule.Q_PROJ, TargetModule.V_PROJ))
                        .withWeightDecay(0.01)
                        .withWarmupRatio(0.05)
                        .withSchedule(Schedule.COSINE)
                        .withRankStabilized(true)
                        .withLoraPlusRatio(16)
                        .withMaxGradientNorm(0.5)
                        .withOptimizer(OptimizerStep.Rule.SGD)
                        .withSeed(42)
                        .build());
    }

    @Test
    void byteOrderMarkIsSkipped() throws IOException {
        assertThat(SearchSpace.csv(file("\uFEFFrank\r\n4\r\n")).configs())
                .extracting(LoraConfig::rank)
                .containsExactly(4);
    }

    @Test
    void columnsBesideIdsAreNoFields() throws IOException {
        LoraConfig config = LoraConfig.builder().withRank(4).withAlpha(8).build();

        assertThat(SearchSpace.csv(file("id,status,alpha,rank\n%s,finished,8,4\n".formatted(config.id())))
                        .configs())
                .containsExactly(config);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "rank,rnak;8,1                  | line 1: unknown column (rnak). Maybe use one of rank, alpha,",
                "id,rank;r8,8                   | line 2: id (r8) is not that of the configuration (r8-a32-",
                "alpha_over_rank;-1             | line 2, column alpha_over_rank, value (-1): LoRA configuration: alpha over",
                "alpha,lora_alpha;8,1           | line 1: columns (alpha) and (lora_alpha) are the same field.",
                "alpha,alpha_over_rank;8,1      | line 1: columns (alpha) and (alpha_over_rank) both set alpha.",
                "rank,learning_rate;8,1e-4;8,1x | line 3, column learning_rate, value (1x): This is no number.",
                "rank;8;;8.5                    | line 4, column rank, value (8.5): This is no whole number.",
                "rank,alpha;8,                  | line 2, column alpha, value (): This is no number.",
                "rank;0                         | line 2, column rank, value (0): LoRA configuration: rank (0) must be",
                "learning_rate;-1               | line 2, column learning_rate, value (-1): LoRA configuration: learningRate",
                "target_modules;q_proj x_proj   | line 2, column target_modules, value (q_proj x_proj): Unknown target",
                "schedule;sudden                | line 2, column schedule, value (sudden): Maybe use one of [constant,",
                "rank_stabilized;1              | line 2, column rank_stabilized, value (1): This is neither true nor",
                "rank,alpha;8,16;8              | line 3: (1) values for (2) columns.",
                "rank                           | no configuration. Maybe write a header"
            })
    void malformedFileIsRefusedWithThePlace(String text, String message) throws IOException {
        Path file = file(text.replace(';', '\n'));

        assertThatThrownBy(() -> SearchSpace.csv(file))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(file + ": " + message);
    }

    @Test
    void missingFileIsNamed() {
        Path file = folder.resolve("absent.csv");

        assertThatThrownBy(() -> SearchSpace.csv(file))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(file + ": cannot be read as CSV (java.nio.file.NoSuchFileException");
    }

    @Test
    void brokenQuotesAreNamedWithTheFile() throws IOException {
        Path file = file("rank\n\"8");

        assertThatThrownBy(() -> SearchSpace.csv(file))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(file + ": cannot be read as CSV");
    }
}
