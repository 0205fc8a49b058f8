package io.plora.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.plora.kernels.DType;
import io.plora.model.ModelFormatException;
import io.plora.model.SafetensorsWriter;
import io.plora.model.TensorData;
import io.plora.model.TensorInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingStateTest {

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void nameFile() {
        file = folder.resolve("plora-state.safetensors");
    }

    @Test
    void whatIsSavedLoadsBackExactly() {
        Random random = new Random(4);
        float[] first = RandomAdapters.values(1000, random);
        float[] second = RandomAdapters.values(1000, random);
        second[3] = Float.MIN_VALUE;
        new TrainingState(first, second, 1L << 40, 17, 2).save(folder);
        TrainingState loaded = TrainingState.load(folder);
        assertThat(loaded.firstMoment()).isEqualTo(first);
        assertThat(loaded.secondMoment()).isEqualTo(second);
        assertThat(loaded.optimizerSteps()).isEqualTo(1L << 40);
        assertThat(loaded.samplesDone()).isEqualTo(17);
        assertThat(loaded.epoch()).isEqualTo(2);
    }

    @Test
    void anOptimizerWithoutMomentsHasNone() {
        new TrainingState(new float[0], new float[0], 5, 0, 0).save(folder);
        assertThat(TrainingState.load(folder).secondMoment()).isEmpty();
    }

    @Test
    void momentsMustBeAsMany() {
        assertThatThrownBy(() -> new TrainingState(new float[2], new float[3], 0, 0, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("firstMoment has (2) values, secondMoment (3)");
    }

    @Test
    void countersMustNotBeNegative() {
        assertThatThrownBy(() -> new TrainingState(new float[0], new float[0], 0, -1, 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("samplesDone (-1)");
    }

    @Test
    void aMissingFileIsNamed() {
        assertLoadingFails("there is no such file");
    }

    @Test
    void aTruncatedFileIsNamed() throws IOException {
        new TrainingState(new float[2], new float[2], 0, 0, 0).save(folder);
        byte[] all = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(all, all.length - 5));
        assertLoadingFails("truncated: (5) of (16) bytes");
    }

    @Test
    void aFileWithoutCountersIsRefused() {
        moments(1, 1).write(file);
        assertLoadingFails("metadata (optimizer_steps) is missing");
    }

    @Test
    void aFileWithoutMomentsIsRefused() {
        new SafetensorsWriter().write(file);
        assertLoadingFails("has no tensor (first_moment)");
    }

    @ParameterizedTest
    @CsvSource({"many,1,1,1", "1,1,99999999999,1", "-1,1,1,1", "1,1,1,2"})
    void aFileOfImpossibleValuesIsRefused(String steps, String samples, String epoch, int seconds) {
        moments(1, seconds)
                .withMetadata("optimizer_steps", steps)
                .withMetadata("samples_done", samples)
                .withMetadata("epoch", epoch)
                .write(file);
        assertLoadingFails("no training state: ");
    }

    private static SafetensorsWriter moments(int firsts, int seconds) {
        return new SafetensorsWriter()
                .withTensor("first_moment", new TensorInfo(DType.F32, firsts), TensorData.of(new float[firsts]))
                .withTensor("second_moment", new TensorInfo(DType.F32, seconds), TensorData.of(new float[seconds]));
    }

    private void assertLoadingFails(String problem) {
        assertThatThrownBy(() -> TrainingState.load(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file + ": ")
                .hasMessageContaining(problem);
    }
}
