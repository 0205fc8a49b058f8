package io.plora.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.Evaluation;
import io.plora.Metric;
import io.plora.Trial;
import io.plora.kernels.OptimizerStep;
import io.plora.space.LoraConfig;
import io.plora.space.Schedule;
import io.plora.space.SearchSpace;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrialFilesTest {
    private static final LoraConfig EVERY_FIELD_SET = LoraConfig.builder()
            .withRank(8)
            .withAlpha(12.5)
            .withLearningRate(3e-4)
            .withBatchSize(4)
            .withDropout(0.05)
            .withTargetModules(Set.of(TargetModule.Q_PROJ, TargetModule.DOWN_PROJ))
            .withWeightDecay(0.01)
            .withWarmupRatio(0.1)
            .withSchedule(Schedule.COSINE)
            .withRankStabilized(true)
            .withLoraPlusRatio(16)
            .withMaxGradientNorm(0.5)
            .withOptimizer(OptimizerStep.Rule.SGD)
            .withSeed(-7)
            .build();

    @TempDir
    private Path directory;

    private Path folder;
    private Trial complete;
    private Trial failed;

    @BeforeEach
    void prepare() {
        folder = directory.resolve("sweep");
        complete = Trial.builder(EVERY_FIELD_SET, Trial.Status.FINISHED)
                .withBest(Evaluation.ofLosses(1, 40, new double[] {1, 2, 4}, new int[] {1, 2, 1}))
                .withLast(Evaluation.ofChoices(2, 80, new int[] {0, 1, 1}, new int[] {0, 1, 0}, 2))
                .withTrainingLoss(1.75)
                .withSteps(20)
                .withTokens(12_345)
                .withSeconds(1.5)
                .withLastAdapter(folder.resolve("adapters/a/last"))
                .withBestAdapter(folder.resolve("adapters/a/best"))
                .build();
        failed = Trial.builder(LoraConfig.builder().build(), Trial.Status.FAILED)
                .withFailure("loss is NaN, \"step\" 3\nMaybe lower the learning rate; Grüße")
                .build();
    }

    @Test
    void readsBackWhatItWrote() {
        write(complete, failed);

        assertThat(TrialFiles.read(folder)).containsExactly(complete, failed);
    }

    @Test
    void writesEachTrialAtOnce() throws IOException {
        TrialFiles files = TrialFiles.open(folder);
        assertThat(csv()).isEmpty();
        files.append(complete);
        assertThat(TrialFiles.read(folder)).containsExactly(complete);
        assertThat(csv()).hasSize(1);
        files.append(failed);
        assertThat(TrialFiles.read(folder)).containsExactly(complete, failed);
        assertThat(csv()).hasSize(2);
    }

    @Test
    void namesTheTrialThatCouldNotBeRecorded() throws IOException {
        TrialFiles files = TrialFiles.open(folder);
        Files.delete(folder.resolve(TrialFiles.JSON_LINES));
        Files.createDirectory(folder.resolve(TrialFiles.JSON_LINES));

        assertThatThrownBy(() -> files.append(complete))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith("%s: trial (%s) could not be recorded".formatted(folder, complete.id()));
    }

    @Test
    void writesOnAThreadThatWasInterrupted() {
        Thread.currentThread().interrupt();
        write(complete);

        assertThat(Thread.interrupted()).isTrue();
        assertThat(TrialFiles.read(folder)).containsExactly(complete);
    }

    @Test
    void keepsNumbersThatAreNotFinite() {
        Evaluation diverged = new Evaluation(
                1,
                1,
                2,
                Map.of(Metric.VALIDATION_LOSS, Double.NaN, Metric.PERPLEXITY, Double.POSITIVE_INFINITY),
                Map.of(Metric.VALIDATION_LOSS, Double.NaN));
        Trial trial = Trial.builder(EVERY_FIELD_SET, Trial.Status.CANCELLED)
                .withLast(diverged)
                .withTrainingLoss(Double.NaN)
                .build();
        write(trial);

        assertThat(TrialFiles.read(folder)).containsExactly(trial);
    }

    @Test
    void csvHasEveryFieldOfTheConfiguration() throws IOException {
        write(complete);
        CSVRecord record = csv().get(0);

        assertThat(record.toMap())
                .containsEntry("id", EVERY_FIELD_SET.id())
                .containsEntry("status", "finished")
                .containsEntry("rank", "8")
                .containsEntry("alpha", "12.5")
                .containsEntry("learning_rate", "0.0003")
                .containsEntry("batch_size", "4")
                .containsEntry("dropout", "0.05")
                .containsEntry("target_modules", "q_proj down_proj")
                .containsEntry("weight_decay", "0.01")
                .containsEntry("warmup_ratio", "0.1")
                .containsEntry("schedule", "COSINE")
                .containsEntry("rank_stabilized", "true")
                .containsEntry("lora_plus_ratio", "16")
                .containsEntry("max_gradient_norm", "0.5")
                .containsEntry("optimizer", "SGD")
                .containsEntry("seed", "-7");
    }

    @Test
    void csvHasTheEvaluationOfTheAdapterItOffers() throws IOException {
        write(complete);
        CSVRecord record = csv().get(0);

        assertThat(record.toMap())
                .containsEntry("epoch", "1")
                .containsEntry("samples_seen", "40")
                .containsEntry("items", "3")
                .containsEntry("validation_loss", "2.25")
                .containsEntry("accuracy", "")
                .containsEntry("matthews_standard_error", "")
                .containsEntry("training_loss", "1.75")
                .containsEntry("steps", "20")
                .containsEntry("tokens", "12345")
                .containsEntry("seconds", "1.5")
                .containsEntry("last_adapter", "adapters/a/last")
                .containsEntry("best_adapter", "adapters/a/best")
                .containsEntry("failure", "");
        assertThat(Double.parseDouble(record.get("validation_loss_standard_error")))
                .isEqualTo(complete.evaluation().standardError(Metric.VALIDATION_LOSS));
    }

    @Test
    void csvIsASearchSpaceOfItsConfigurations() {
        write(complete, failed);

        assertThat(SearchSpace.csv(folder.resolve(TrialFiles.CSV)).configs())
                .containsExactly(complete.config(), failed.config());
    }

    @Test
    void jsonHasTheNamesOfTheCsv() throws IOException {
        write(complete);

        assertThat(Files.readString(folder.resolve(TrialFiles.JSON_LINES)))
                .contains("\"learning_rate\":3.0E-4", "\"target_modules\":[\"q_proj\",\"down_proj\"]")
                .contains("\"samples_seen\":40", "\"validation_loss\":2.25", "\"best_adapter\":\"adapters/a/best\"");
    }

    @Test
    void csvQuotesFailureMessages() throws IOException {
        write(failed);

        assertThat(csv().get(0).get("failure")).isEqualTo(failed.failure());
    }

    @Test
    void pathsFollowAFolderThatMoved() throws IOException {
        write(complete);
        Path moved = Files.move(folder, directory.resolve("moved"));

        assertThat(TrialFiles.read(moved).get(0).adapter()).isEqualTo(moved.resolve("adapters/a/best"));
    }

    @Test
    void appendsToWhatIsThere() throws IOException {
        write(complete);
        write(failed);

        assertThat(TrialFiles.read(folder)).containsExactly(complete, failed);
        assertThat(csv()).extracting(record -> record.get("id")).containsExactly(complete.id(), failed.id());
    }

    @Test
    void dropsALastLineThatWasCutShort() throws IOException {
        write(complete, failed);
        Path path = folder.resolve(TrialFiles.JSON_LINES);
        byte[] bytes = Files.readAllBytes(path);

        for (int cut : new int[] {1, 2, 20}) {
            Files.write(path, Arrays.copyOf(bytes, bytes.length - cut));
            assertThat(TrialFiles.read(folder)).containsExactly(complete);
        }
        write(failed);
        assertThat(TrialFiles.read(folder)).containsExactly(complete, failed);
        assertThat(csv()).hasSize(2);
    }

    @Test
    void aCsvThatWasCutShortIsRestored() throws IOException {
        write(complete, failed);
        Path path = folder.resolve(TrialFiles.CSV);
        Files.writeString(path, Files.readString(path).substring(0, 300));
        write();

        assertThat(csv()).hasSize(2);
    }

    @Test
    void aTrialThatRanAgainReplacesTheEarlierOne() throws IOException {
        Trial repeated = Trial.builder(failed.config(), Trial.Status.FINISHED)
                .withSteps(3)
                .build();
        write(failed, complete, repeated);

        assertThat(TrialFiles.read(folder)).containsExactly(repeated, complete);
    }

    @Test
    void aFolderWithoutTrialsHasNone() {
        assertThat(TrialFiles.read(folder)).isEmpty();
    }

    @Test
    void namesFileAndLineThatIsNoJson() throws IOException {
        write(complete);
        Path path = folder.resolve(TrialFiles.JSON_LINES);
        Files.writeString(path, "{\"id\": oops}\n", StandardOpenOption.APPEND);

        assertThatThrownBy(() -> TrialFiles.read(folder))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(path + ": line (2) ")
                .hasMessageContaining("oops")
                .hasMessageContaining("Maybe");
    }

    @Test
    void refusesLinesThatAreNotThoseOfATrial() throws IOException {
        Files.createDirectories(folder);
        Path path = folder.resolve(TrialFiles.JSON_LINES);
        for (String line : List.of("", "[1]", "{}", "{\"id\":\"a\",\"config\":{\"rank\":8}}")) {
            Files.writeString(path, line + "\n");
            assertThatThrownBy(() -> TrialFiles.open(folder))
                    .describedAs(line)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith(path + ": line (1) ");
        }
    }

    @Test
    void refusesALineWhoseIdIsNotThatOfItsConfiguration() throws IOException {
        write(complete);
        Path path = folder.resolve(TrialFiles.JSON_LINES);
        Files.writeString(path, Files.readString(path).replace("\"rank\":8", "\"rank\":9"));

        assertThatThrownBy(() -> TrialFiles.read(folder))
                .hasMessageContaining("id (%s) does not belong".formatted(complete.id()));
    }

    @Test
    void refusesAFolderThatCannotBeMade() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "in the way");

        assertThatThrownBy(() -> TrialFiles.open(file))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(file + ": cannot be written to")
                .hasMessageContaining("Maybe");
    }

    private void write(Trial... trials) {
        TrialFiles files = TrialFiles.open(folder);
        List.of(trials).forEach(files::append);
    }

    private List<CSVRecord> csv() throws IOException {
        CSVFormat format = CSVFormat.DEFAULT
                .builder()
                .setHeader()
                .setSkipHeaderRecord(true)
                .build();
        try (Reader reader = Files.newBufferedReader(folder.resolve(TrialFiles.CSV));
                CSVParser parser = format.parse(reader)) {
            return parser.getRecords();
        }
    }
}
