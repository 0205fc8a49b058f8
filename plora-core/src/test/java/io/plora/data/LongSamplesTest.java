package io.plora.data;

import static io.plora.data.TinyModel.CONTEXT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LongSamplesTest {
    private static final TrainingData DATA =
            TrainingData.ofSamples(List.of(sample(3, 1), sample(6, 2), sample(4, 3), sample(8, 5)));

    private static Sample sample(int length, int promptLength) {
        boolean[] answer = new boolean[length];
        for (int i = promptLength; i < length; i++) {
            answer[i] = true;
        }
        return new Sample(new int[length], answer);
    }

    private static EncodingContext atMost(int maxLength, TooLong tooLong) {
        return CONTEXT.withMaxLength(maxLength).withTooLong(tooLong);
    }

    @Test
    void areRefusedWithTheFirstTheirNumberAndTheLongest() {
        assertThatThrownBy(() -> DATA.load(atMost(4, TooLong.REFUSE)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(
                        "(2) of (4) samples are longer than (4) tokens: the first is sample (2), the longest has (8)");
    }

    @Test
    void areCutOrLeftOutIfNoAnswerRemains() {
        Dataset data = DATA.load(atMost(4, TooLong.TRUNCATE));

        assertThat(data.samples()).containsExactly(sample(3, 1), sample(4, 2), sample(4, 3));
        assertThat(data.truncated()).isEqualTo(1);
        assertThat(data.skipped()).isEqualTo(1);
    }

    @Test
    void areSkippedWithACount() {
        Dataset data = DATA.load(atMost(4, TooLong.SKIP));

        assertThat(data.samples()).containsExactly(sample(3, 1), sample(4, 3));
        assertThat(data.truncated()).isZero();
        assertThat(data.skipped()).isEqualTo(2);
    }

    @Test
    void dataOfWhichNothingRemainsAreRefused() {
        assertThatThrownBy(() -> DATA.load(atMost(2, TooLong.SKIP)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("none of the (4) samples can be used within (2) tokens");
    }

    @Test
    void textDataMayAskForAShorterLengthAndAnotherChoice() {
        TextData text = TextData.examples(
                        List.of(Map.of("q", "1", "a", "2"), Map.of("q", "A question of many more words", "a", "2")))
                .withPrompt("{q}")
                .withAnswer("{a}");

        assertThat(text.withMaxLength(3)
                        .withLongSamples(TooLong.SKIP)
                        .load(CONTEXT)
                        .samples())
                .extracting(TinyModel::text)
                .containsExactly("12<|im_end|>");
        assertThatThrownBy(() -> text.withMaxLength(100).load(CONTEXT.withMaxLength(4)))
                .hasMessageContainingAll("than (4) tokens", "example (2)");
    }

    @Test
    void aLengthBelowTwoTokensIsRefused() {
        assertThatThrownBy(() -> CONTEXT.withMaxLength(1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("maxLength (1)");
    }
}
