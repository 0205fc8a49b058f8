package io.plora.data;

import static io.plora.data.TinyModel.CONTEXT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.assertj.core.api.AbstractThrowableAssert;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.dataset.adapter.SingletonMultiDataSetIterator;
import org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator;
import org.nd4j.linalg.factory.Nd4j;

class Dl4jDataTest {
    private static final INDArray IDS = Nd4j.createFromArray(new int[][] {{5, 6, 7, 8}, {9, 10, 0, 0}});
    private static final INDArray REAL = Nd4j.createFromArray(new int[][] {{1, 1, 1, 1}, {1, 1, 0, 0}});
    private static final INDArray TRAINED = Nd4j.createFromArray(new int[][] {{0, 0, 1, 1}, {0, 1, 0, 0}});

    private static MultiDataSetIterator minibatch(
            INDArray features, @Nullable INDArray real, @Nullable INDArray labels, @Nullable INDArray trained) {
        return new SingletonMultiDataSetIterator(
                new MultiDataSet(array(features), array(labels), array(real), array(trained)));
    }

    private static INDArray @Nullable [] array(@Nullable INDArray only) {
        return only == null ? null : new INDArray[] {only};
    }

    private static List<Sample> load(MultiDataSetIterator iterator) {
        return Dl4jData.of(iterator).load(CONTEXT).samples();
    }

    private static AbstractThrowableAssert<?, ?> assertRefused(MultiDataSetIterator iterator) {
        return assertThatThrownBy(() -> load(iterator))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("MultiDataSetIterator");
    }

    private static Sample sample(int[] tokens, boolean... answer) {
        return new Sample(tokens, answer);
    }

    @ParameterizedTest
    @EnumSource(names = {"INT", "LONG", "UBYTE", "SHORT", "FLOAT", "DOUBLE", "HALF"})
    void idsOfAnyNumericTypeAreTaken(DataType type) {
        assertThat(load(minibatch(IDS.castTo(type), REAL.castTo(type), null, TRAINED.castTo(type))))
                .containsExactly(
                        sample(new int[] {5, 6, 7, 8}, false, false, true, true),
                        sample(new int[] {9, 10}, false, true));
    }

    @Test
    void withoutMasksAllTokensButTheFirstAreTrained() {
        assertThat(load(minibatch(IDS, null, null, null)))
                .containsExactly(
                        sample(new int[] {5, 6, 7, 8}, false, true, true, true),
                        sample(new int[] {9, 10, 0, 0}, false, true, true, true));
    }

    @Test
    void paddingIsLeftOutAtEitherEndAndWholeRowsOfIt() {
        INDArray real =
                Nd4j.createFromArray(new boolean[][] {{false, true, true, false}, {false, false, false, false}});

        assertThat(load(minibatch(IDS, real, null, null))).containsExactly(sample(new int[] {6, 7}, false, true));
    }

    @Test
    void labelsBelowZeroAreNotTrained() {
        INDArray labels = Nd4j.createFromArray(new int[][] {{-100, -100, 7, 8}, {-100, 10, -100, -100}});

        assertThat(load(minibatch(IDS, REAL, labels, null)))
                .containsExactly(
                        sample(new int[] {5, 6, 7, 8}, false, false, true, true),
                        sample(new int[] {9, 10}, false, true));
    }

    @Test
    void viewsAndThreeDimensionalArraysAreTaken() {
        INDArray transposed =
                Nd4j.createFromArray(new int[][] {{5, 9}, {6, 10}}).transpose();
        INDArray channels = IDS.reshape(2, 1, 4);

        assertThat(load(minibatch(transposed, null, null, null)))
                .containsExactly(sample(new int[] {5, 6}, false, true), sample(new int[] {9, 10}, false, true));
        assertThat(load(minibatch(channels, REAL, null, TRAINED))).hasSize(2);
    }

    @Test
    void theIteratorIsResetBeforeItIsRead() {
        MultiDataSetIterator iterator = minibatch(IDS, REAL, null, TRAINED);
        iterator.next();
        Dl4jData data = Dl4jData.of(iterator);

        assertThat(data.load(CONTEXT)).isEqualTo(data.load(CONTEXT));
    }

    @Test
    void anIteratorWithoutSequencesIsRefused() {
        INDArray padding = Nd4j.zeros(DataType.INT, 2, 4);

        assertRefused(minibatch(IDS, padding, null, null)).hasMessageContaining("no samples");
    }

    @ParameterizedTest
    @ValueSource(doubles = {-1, 4096, 70_000})
    void idsOutsideTheVocabularyAreRefused(double id) {
        INDArray ids = Nd4j.createFromArray(new double[][] {{1, 2}, {3, id}});

        assertRefused(minibatch(ids, null, null, null))
                .hasMessageContainingAll(
                        "minibatch (1), row (2)", "token id (%d) at position (1)".formatted((int) id), "(4096)");
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.5, Double.NaN, 1e12})
    void valuesThatAreNoIdsAreRefused(double value) {
        INDArray ids = Nd4j.createFromArray(new double[][] {{1, 2}, {3, value}});

        assertRefused(minibatch(ids, null, null, null))
                .hasMessageContainingAll("features[0] holds (" + value + ") at [1, 1]", "no token id");
    }

    @Test
    void arraysOfAnotherShapeAreRefused() {
        INDArray shorter = Nd4j.ones(DataType.INT, 2, 3);

        assertRefused(minibatch(IDS, shorter, null, null))
                .hasMessageContainingAll("features mask [0] has the shape [2, 3]", "[2, 4]");
        assertRefused(minibatch(IDS, null, null, shorter)).hasMessageContaining("labels mask [0] has the shape [2, 3]");
        assertRefused(minibatch(IDS, null, shorter, null)).hasMessageContaining("labels[0] has the shape [2, 3]");
        assertRefused(minibatch(Nd4j.ones(DataType.INT, 4), null, null, null))
                .hasMessageContaining("features[0] has the shape [4]");
        assertRefused(minibatch(Nd4j.ones(DataType.INT, 2, 5, 4), null, null, null))
                .hasMessageContaining("features[0] has the shape [2, 5, 4]");
    }

    @Test
    void masksOfWeightsAreRefused() {
        assertRefused(minibatch(IDS, null, null, TRAINED.castTo(DataType.DOUBLE).mul(0.5)))
                .hasMessageContaining("labels mask [0] holds (0.5)");
    }

    @Test
    void shiftedLabelsAreRefused() {
        INDArray shifted = Nd4j.createFromArray(new int[][] {{6, 7, 8, 0}, {10, 0, 0, 0}});

        assertRefused(minibatch(IDS, REAL, shifted, TRAINED))
                .hasMessageContainingAll(
                        "labels[0] holds (8.0) at [0, 2], but features[0] holds (7.0)", "Maybe the labels are shifted");
    }

    @Test
    void aSequenceWithoutTrainedTokensIsRefused() {
        assertRefused(minibatch(IDS, REAL, null, TRAINED.mul(0)))
                .hasMessageContainingAll("row (1)", "none of the (4) tokens is to be predicted");
    }

    @Test
    void aMinibatchWithoutFeaturesIsRefused() {
        assertRefused(new SingletonMultiDataSetIterator(new MultiDataSet())).hasMessageContaining("has no features");
    }
}
