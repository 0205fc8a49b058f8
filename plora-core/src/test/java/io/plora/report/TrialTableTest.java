package io.plora.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.Evaluation;
import io.plora.Metric;
import io.plora.SweepResult;
import io.plora.Trial;
import io.plora.space.LoraConfig;
import io.plora.space.TargetModule;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TrialTableTest {
    private static final Path OUTPUT = Path.of("sweep");
    private static final LoraConfig SMALL = LoraConfig.builder()
            .withRank(8)
            .withAlpha(16)
            .withLearningRate(1e-4)
            .build();
    private static final LoraConfig LARGE = LoraConfig.builder()
            .withRank(64)
            .withAlpha(16)
            .withLearningRate(4e-4)
            .withBatchSize(16)
            .build();

    @Test
    void showsTheRankingInAlignedColumns() {
        LoraConfig middle = SMALL.toBuilder().withRank(32).build();
        LoraConfig broken = LARGE.toBuilder().withLearningRate(10).build();
        SweepResult result = new SweepResult(
                List.of(
                        Trial.builder(broken, Trial.Status.FAILED)
                                .withFailure("loss is NaN")
                                .build(),
                        finished(SMALL, 1.5, 0.1, 2.25, 120),
                        finished(middle, 1.25, 0.125, 1.75, 120),
                        finished(LARGE, 1.3, 0.1, 10.5, 8)),
                Metric.VALIDATION_LOSS,
                OUTPUT,
                10);

        assertThat(result.toTable()).isEqualTo("""
                         #  id                              r  alpha      lr  batch   validation loss  train loss  steps  status    adapter
                         1  r32-a16-lr0.0001-b1-e5dc83e5   32     16  0.0001      1  1.2500 +- 0.1250      1.7500    120  finished  adapters/r32-a16-lr0.0001-b1-e5dc83e5
                        ~2  r64-a16-lr0.0004-b16-d767a357  64     16  0.0004     16  1.3000 +- 0.1000     10.5000      8  finished  adapters/r64-a16-lr0.0004-b16-d767a357
                         3  r8-a16-lr0.0001-b1-1d58b16c     8     16  0.0001      1  1.5000 +- 0.1000      2.2500    120  finished  adapters/r8-a16-lr0.0001-b1-1d58b16c
                         -  r64-a16-lr10-b16-c2455c87      64     16      10     16                 -           -      0  failed    -
                        ~ within one standard error of the best
                        """);
    }

    @Test
    void addsColumnsOfFieldsThatDiffer() {
        LoraConfig attention = SMALL.toBuilder()
                .withTargetModules(Set.of(TargetModule.V_PROJ, TargetModule.Q_PROJ))
                .build();
        LoraConfig mlp = SMALL.toBuilder()
                .withTargetModules(Set.of(TargetModule.UP_PROJ))
                .build();
        String header =
                TrialTable.of(result(attention, mlp)).lines().findFirst().orElseThrow();

        assertThat(header).contains("target_modules").doesNotContain("dropout").doesNotContain("seed");
        assertThat(TrialTable.of(result(attention, mlp)))
                .contains("  q_proj v_proj  ")
                .contains("  up_proj        ");
    }

    @Test
    void showsWhatIsNotKnownAsADash() {
        List<String> lines = TrialTable.of(result(SMALL)).lines().toList();

        assertThat(lines).hasSize(2);
        assertThat(lines.get(1)).matches("1  r8-.*  -  +-  +0  finished  -");
    }

    @Test
    void anEmptySweepHasATableWithoutRows() {
        assertThat(TrialTable.of(result()).lines()).hasSize(1);
    }

    private static SweepResult result(LoraConfig... configs) {
        List<Trial> trials = List.of(configs).stream()
                .map(config -> Trial.builder(config, Trial.Status.FINISHED).build())
                .toList();
        return new SweepResult(trials, Metric.VALIDATION_LOSS, OUTPUT, 10);
    }

    private static Trial finished(LoraConfig config, double loss, double error, double trainingLoss, long steps) {
        Evaluation evaluation =
                new Evaluation(1, 120, 20, Map.of(Metric.VALIDATION_LOSS, loss), Map.of(Metric.VALIDATION_LOSS, error));
        return Trial.builder(config, Trial.Status.FINISHED)
                .withBest(evaluation)
                .withTrainingLoss(trainingLoss)
                .withSteps(steps)
                .withBestAdapter(OUTPUT.resolve("adapters").resolve(config.id()))
                .build();
    }
}
