package io.plora.execute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.LoraSweep;
import io.plora.Metric;
import io.plora.StepEvent;
import io.plora.SweepHandle;
import io.plora.SweepListener;
import io.plora.data.ChoiceData;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.data.TextData;
import io.plora.data.TooLong;
import io.plora.data.TrainingData;
import io.plora.model.ModelFormatException;
import io.plora.plan.OneByOne;
import io.plora.space.LoraConfig;
import io.plora.space.SearchSpace;
import io.plora.space.TargetModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a sweep is refused for: each time one exception that names it, and nothing is written. */
class BadSweepTest {
    @TempDir
    private Path folder;

    private Path output;

    @BeforeEach
    void name() {
        output = folder.resolve("sweep");
    }

    @Test
    void aModelFolderThatIsMissing() {
        requireRefused(ofModel(folder.resolve("no-model")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("no-model: there is no such folder");
    }

    @Test
    void aModelWithoutTokenizer() throws IOException {
        Path model = Files.createDirectory(folder.resolve("model"));
        for (String file : List.of("config.json", "model.safetensors")) {
            Files.copy(TinySweeps.MODEL.resolve(file), model.resolve(file));
        }
        requireRefused(ofModel(model)).isInstanceOf(ModelFormatException.class).hasMessageContaining("tokenizer.json");
    }

    @Test
    void dataThatAreEmpty() throws IOException {
        Path empty = Files.createFile(folder.resolve("empty.jsonl"));
        requireRefused(withTraining(TextData.jsonLines(empty).withPrompt("{q}").withAnswer("{a}")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("empty.jsonl: no samples");
        requireRefused(withTraining(context -> new Dataset("mine", List.of(), 0, 0)))
                .hasMessageContaining("Training data (mine) has no samples");
    }

    @Test
    void aLineThatIsNoJson() throws IOException {
        Path file = Files.writeString(folder.resolve("bad.jsonl"), "{\"q\": \"1\", \"a\": \"2\"}\nno json\n");
        requireRefused(withTraining(TextData.jsonLines(file).withPrompt("{q}").withAnswer("{a}")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("bad.jsonl")
                .hasMessageContaining("line (2)");
    }

    @Test
    void samplesThatAreTooLong() {
        List<Sample> samples = TinySweeps.sampleList(1, 5);
        requireRefused(withTraining(TrainingData.ofSamples(samples)).withMaxLength(10))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("longer than (10) tokens");
        Sample endless = new Sample(new int[3000], answerAtTheEnd(3000));
        requireRefused(withTraining(TrainingData.ofSamples(List.of(endless))).withMaxLength(5000))
                .hasMessageContaining("longer than (2048) tokens");
        requireRefused(withTraining(context -> new Dataset("mine", List.of(endless), 0, 0)))
                .hasMessageContaining("sample (1) has (3000) tokens, the model takes (2048)");
    }

    @Test
    void samplesThatTheModelCannotRead() {
        Sample stranger = new Sample(new int[] {1, 2, 5000}, answerAtTheEnd(3));
        requireRefused(withTraining(context -> new Dataset("mine", List.of(stranger), 0, 0)))
                .hasMessageContaining("token id (5000)");
        Sample mute = new Sample(new int[] {1, 2, 3}, new boolean[3]);
        requireRefused(withTraining(context -> new Dataset("mine", List.of(mute), 0, 0)))
                .hasMessageContaining("sample (1) has no answer token");
    }

    private static boolean[] answerAtTheEnd(int length) {
        boolean[] answer = new boolean[length];
        answer[length - 1] = true;
        return answer;
    }

    @Test
    void anOutputFolderThatIsAFile() throws IOException {
        Files.writeString(output, "mine");
        assertThatThrownBy(TinySweeps.sweep(output).build()::run)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Output folder (" + output + ") is a file");
        assertThat(output).hasContent("mine");
    }

    @Test
    void anOutputFolderBelowAFile() throws IOException {
        Files.writeString(output, "mine");
        assertThatThrownBy(TinySweeps.sweep(output.resolve("below")).build()::run)
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("Output folder (" + output.resolve("below") + ") cannot be written to");
    }

    @Test
    void anOutputFolderWithOtherFiles() throws IOException {
        Files.createDirectory(output);
        Files.writeString(output.resolve("thesis.txt"), "mine");
        assertThatThrownBy(TinySweeps.sweep(output).build()::run)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("holds other files, such as (thesis.txt)");
        assertThat(output.toFile().list()).containsExactly("thesis.txt");
    }

    @Test
    void anOutputFolderOfAnotherSweep() throws IOException {
        List<LoraConfig> one = TinySweeps.CONFIGS.subList(0, 1);
        TinySweeps.sweep(output, one).build().run();
        List<String> before = files();

        requireAnotherSweep(
                TinySweeps.sweep(output, one).withMetric(Metric.PERPLEXITY), "metric: there (VALIDATION_LOSS)");
        requireAnotherSweep(
                space(one).withTrainingData(TinySweeps.samples(1, 10)).withValidationData(TinySweeps.samples(2, 4)),
                "epochs: there (2), here (1)");
        requireAnotherSweep(
                space(one)
                        .withEpochs(2)
                        .withTrainingData(TinySweeps.samples(9, 10))
                        .withValidationData(TinySweeps.samples(2, 4)),
                "training: there (10 samples, content");
        requireAnotherSweep(
                space(one)
                        .withEpochs(2)
                        .withTrainingData(TinySweeps.samples(1, 10))
                        .withValidationData(TinySweeps.samples(2, 3)),
                "validation: there (4 samples, content");
        assertThat(files()).isEqualTo(before);
    }

    @Test
    void anOutputFolderOfASweepOfAnotherModelOfThatName() throws IOException {
        List<LoraConfig> one = TinySweeps.CONFIGS.subList(0, 1);
        TinySweeps.sweep(output, one).build().run();
        Path model = Files.createDirectories(folder.resolve("other/tiny-qwen2"));
        for (String file : List.of("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")) {
            Files.copy(TinySweeps.MODEL.resolve(file), model.resolve(file));
        }
        byte[] weights = Files.readAllBytes(model.resolve("model.safetensors"));
        weights[weights.length - 2] ^= 1; // in the last tensor, a norm of 128 values
        Files.write(model.resolve("model.safetensors"), weights);
        assertThatThrownBy(ofModel(model).build()::run).hasMessageContaining("base_model: there (tiny-qwen2, content");
    }

    private LoraSweep.Builder space(List<LoraConfig> configs) {
        return TinySweeps.anySweep(output).withSpace(SearchSpace.of(configs));
    }

    private static void requireAnotherSweep(LoraSweep.Builder sweep, String difference) {
        assertThatThrownBy(sweep.build()::run)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("holds another sweep:")
                .hasMessageContaining(difference)
                .hasMessageEndingWith("Maybe choose another folder.");
    }

    private List<String> files() throws IOException {
        try (var paths = Files.walk(output)) {
            return paths.map(Path::toString).sorted().toList();
        }
    }

    @Test
    void anOutputFolderThatARunningSweepUses() throws InterruptedException {
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch tried = new CountDownLatch(1);
        LoraSweep first = TinySweeps.sweep(output)
                .withListener(new SweepListener() {
                    @Override
                    public void stepCompleted(StepEvent event) {
                        running.countDown();
                        try {
                            tried.await();
                        } catch (InterruptedException e) {
                            throw new IllegalStateException(e);
                        }
                    }
                })
                .build();
        try (SweepHandle handle = first.start()) {
            running.await();
            assertThatThrownBy(TinySweeps.sweep(output).build()::run)
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("Output folder (" + output + ") is in use by a running sweep");
            tried.countDown();
            assertThat(handle.await().failures()).isEmpty();
        }
    }

    @Test
    void aConfigurationThatExceedsTheMemoryAlone() {
        requireRefused(TinySweeps.sweep(output).withDevice(TestDevice.of("small", 8 << 20)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("even alone")
                .hasMessageContaining("has (8.0 MiB)")
                .hasMessageContaining("Maybe");
    }

    @Test
    void aValidationSequenceThatExceedsTheMemory() {
        Sample endless = new Sample(new int[2000], answerAtTheEnd(2000));
        requireRefused(TinySweeps.anySweep(output)
                        .withTrainingData(TinySweeps.samples(1, 3))
                        .withSpace(SearchSpace.of(TinySweeps.CONFIGS))
                        .withMaxLength(2048)
                        .withValidationData(TrainingData.ofSamples(List.of(endless)))
                        .withDevice(TestDevice.of("small", 30 << 20)))
                .hasMessageContaining("of (2000) tokens");
    }

    @Test
    void aMetricThatCannotBeMeasured() {
        requireRefused(TinySweeps.sweep(output).withMetric(Metric.F1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Metric (F1) cannot be measured")
                .hasMessageEndingWith("Maybe call withValidationTask.");
    }

    @Test
    void anInitialAdapterThatDoesNotFit() {
        LoraConfig config = TinySweeps.config(4, 2).build();
        Path adapter = TinySweeps.sweep(folder.resolve("first"), List.of(config))
                .build()
                .run()
                .best()
                .lastAdapter();
        LoraConfig otherRank = config.toBuilder().withRank(8).build();
        requireRefused(TinySweeps.sweep(output, List.of(otherRank)).withInitialAdapter(adapter))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("Initial adapter (" + adapter + ")")
                .hasMessageContaining("rank (4)")
                .hasMessageContaining("rank (8)");
        LoraConfig fewerModules = config.toBuilder()
                .withTargetModules(List.of(TargetModule.Q_PROJ))
                .build();
        requireRefused(TinySweeps.sweep(output, List.of(fewerModules)).withInitialAdapter(adapter))
                .hasMessageContaining("target modules");
        requireRefused(TinySweeps.sweep(output).withInitialAdapter(folder.resolve("nowhere")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("nowhere");
    }

    @Test
    void aSpaceWithoutConfigurations() {
        requireRefused(TinySweeps.anySweep(output)
                        .withTrainingData(TinySweeps.samples(1, 3))
                        .withValidationData(TinySweeps.samples(1, 3))
                        .withSpace(SearchSpace.of(TinySweeps.CONFIGS).where(config -> false)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("The search space is empty");
    }

    @Test
    void aCheckpointIntervalBelowZero() {
        requireRefused(TinySweeps.sweep(output).withCheckpointInterval(Duration.ofSeconds(-1)))
                .hasMessageContaining("Checkpoint interval (PT-1S)");
    }

    @Test
    void aChoiceWithOneCandidate() {
        ChoiceData task = TextData.examples(List.of(Map.of("what", "x", "label", "a")))
                .withPrompt("{what}")
                .asChoices("label")
                .withCandidate("a", " yes");
        requireRefused(TinySweeps.sweep(output).withValidationTask(task))
                .hasMessageContaining("at least two candidates");
    }

    @Test
    void aDeviceThatRunsOutOfMemoryTellsWhatToDo() {
        TestDevice device = TestDevice.of((call, method, arguments) -> {
            if (method.getName().equals("swiGlu")) {
                throw new OutOfMemoryError("Cannot reserve 5 bytes of direct buffer memory");
            }
            return call.proceed();
        });
        assertThatThrownBy(TinySweeps.sweep(output).withDevice(device).build()::run)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("Device (test device) ran out of memory (Cannot reserve 5 bytes")
                .hasMessageContaining("Maybe lower the token budget (80)");
        assertThat(TinySweeps.sweep(output).build().run().failures()).isEmpty();
    }

    @Test
    void callsThatAreMissingOrMadeTwice() {
        assertThatThrownBy(() -> TinySweeps.sweep(output).withEpochs(3))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("withEpochs was called before, with (2)");
        assertThatThrownBy(() ->
                        TinySweeps.sweep(output).withPolicy(new OneByOne()).withPolicy(new OneByOne()))
                .hasMessageContaining("withPolicy was called before");
        assertThatThrownBy(LoraSweep.builder()::build)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("withBaseModel");
        assertThatThrownBy(TinySweeps.anySweep(output)::build).hasMessageContaining("withTrainingData");
        assertThatThrownBy(TinySweeps.anySweep(output)
                        .withTrainingData(TinySweeps.samples(1, 1))
                        .withSpace(SearchSpace.of(TinySweeps.CONFIGS))::build)
                .hasMessageContaining("withValidationData or withValidationTask");
        assertThatThrownBy(() -> LoraSweep.builder().withEpochs(0)).hasMessageContaining("epochs (0)");
        assertThatThrownBy(() -> LoraSweep.builder().withMaxLength(0)).hasMessageContaining("maxLength (0)");
        assertThatThrownBy(() -> LoraSweep.builder().withTokenBudget(-1)).hasMessageContaining("tokenBudget (-1)");
    }

    private LoraSweep.Builder withTraining(TrainingData data) {
        return TinySweeps.anySweep(output)
                .withTrainingData(data)
                .withSpace(SearchSpace.of(TinySweeps.CONFIGS))
                .withLongSamples(TooLong.REFUSE)
                .withValidationData(TinySweeps.samples(2, 4));
    }

    private LoraSweep.Builder ofModel(Path model) {
        return LoraSweep.builder()
                .withBaseModel(model)
                .withOutput(output)
                .withEpochs(2)
                .withTrainingData(TinySweeps.samples(1, TinySweeps.SAMPLES))
                .withSpace(SearchSpace.of(TinySweeps.CONFIGS.subList(0, 1)))
                .withValidationData(TinySweeps.samples(2, 4));
    }

    /** The sweep throws, and its output folder is not made. */
    private AbstractThrowableAssert<?, ? extends Throwable> requireRefused(LoraSweep.Builder sweep) {
        AbstractThrowableAssert<?, ? extends Throwable> thrown = assertThatThrownBy(sweep.build()::run);
        assertThat(output).doesNotExist();
        return thrown;
    }
}
