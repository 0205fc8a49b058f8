package io.plora.data;

import static io.plora.data.TinyModel.CONTEXT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SamplesTest {
    private static final boolean[] SECOND = {false, true};

    @Test
    void encodedSamplesAreTakenAsTheyAre() {
        List<Sample> samples = List.of(new Sample(new int[] {7, 4095}, SECOND), new Sample(new int[] {0, 1}, SECOND));

        assertThat(TrainingData.ofSamples(samples).load(CONTEXT)).isEqualTo(new Dataset("samples", samples, 0, 0));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 4096, Integer.MAX_VALUE})
    void tokenOutsideTheVocabularyIsRefused(int token) {
        TrainingData data = TrainingData.ofSamples(
                List.of(new Sample(new int[] {1, 2}, SECOND), new Sample(new int[] {1, token}, SECOND)));

        assertThatThrownBy(() -> data.load(CONTEXT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(
                        "sample (2): token id (%d) at position (1) is not in the model's vocabulary of (4096)"
                                .formatted(token));
    }

    @Test
    void sampleWithoutAnAnswerIsRefused() {
        TrainingData data = TrainingData.ofSamples(List.of(new Sample(new int[] {1, 2}, new boolean[] {true, false})));

        assertThatThrownBy(() -> data.load(CONTEXT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("sample (1): none of the (2) tokens is to be predicted");
    }

    @Test
    void noSamplesAreRefused() {
        assertThatThrownBy(() -> TrainingData.ofSamples(List.of()).load(CONTEXT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("samples: no samples");
    }
}
