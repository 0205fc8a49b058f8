package io.plora.data;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.api.MultiDataSet;

/** One element of a MultiDataSetIterator, read as {@link Dl4jData} describes; arrays are flat, row by row. */
final class Minibatch {
    private final String source;
    private final int number;
    private final long rows;
    private final int columns;
    private final double[] ids;
    private final double @Nullable [] realMask;
    private final double @Nullable [] labels;
    private final double @Nullable [] labelsMask;

    Minibatch(String source, int number, MultiDataSet data) {
        this.source = source;
        this.number = number;
        INDArray features = first(data.getFeatures());
        if (features == null || features.isEmpty()) {
            throw error("has no features. Maybe token ids are missing: they must be features[0]");
        }
        rows = features.size(0);
        columns = (int) features.size(features.rank() - 1);
        ids = values("features[0]", features);
        realMask = mask("features mask [0]", first(data.getFeaturesMaskArrays()));
        labelsMask = mask("labels mask [0]", first(data.getLabelsMaskArrays()));
        INDArray labelIds = first(data.getLabels());
        labels = labelIds == null ? null : values("labels[0]", labelIds);
    }

    private static @Nullable INDArray first(INDArray @Nullable [] arrays) {
        return arrays == null || arrays.length == 0 ? null : arrays[0];
    }

    private double[] values(String name, INDArray array) {
        long[] shape = array.shape();
        boolean flat = Arrays.equals(shape, new long[] {rows, columns});
        if (!flat && !Arrays.equals(shape, new long[] {rows, 1, columns})) {
            throw error("%s has the shape %s; expected (batch, length) as in features[0], here [%d, %d]"
                    .formatted(name, Arrays.toString(shape), rows, columns));
        }
        return array.dup('c').data().asDouble();
    }

    private double @Nullable [] mask(String name, @Nullable INDArray array) {
        if (array == null) {
            return null;
        }
        double[] mask = values(name, array);
        for (double value : mask) {
            if (value != 0 && value != 1) {
                throw error("%s holds (%s); expected 0 or 1".formatted(name, value));
            }
        }
        return mask;
    }

    void addTo(SampleCollector samples) {
        for (int row = 0; row < rows; row++) {
            Sample sample = sample(row);
            if (sample.length() > 0) {
                samples.add("minibatch (%d), row (%d)".formatted(number, row + 1), sample);
            }
        }
    }

    private Sample sample(int row) {
        int[] tokens = new int[columns];
        boolean[] answer = new boolean[columns];
        int length = 0;
        for (int i = row * columns; i < (row + 1) * columns; i++) {
            if (realMask == null || realMask[i] == 1) {
                tokens[length] = tokenId(i);
                answer[length] = length > 0 && isTrained(i);
                length++;
            }
        }
        return new Sample(Arrays.copyOf(tokens, length), Arrays.copyOf(answer, length));
    }

    private int tokenId(int i) {
        double value = ids[i];
        if (value != (int) value) {
            throw error("features[0] holds (%s) at %s, which is no token id".formatted(value, place(i)));
        }
        return (int) value;
    }

    private boolean isTrained(int i) {
        boolean trained = labelsMask != null ? labelsMask[i] == 1 : labels == null || labels[i] >= 0;
        if (trained && labels != null && labels[i] != ids[i]) {
            throw error(
                    "labels[0] holds (%s) at %s, but features[0] holds (%s). Maybe the labels are shifted by one: they must be aligned with the features"
                            .formatted(labels[i], place(i), ids[i]));
        }
        return trained;
    }

    private String place(int i) {
        return "[%d, %d]".formatted(i / columns, i % columns);
    }

    private IllegalArgumentException error(String message) {
        return new IllegalArgumentException("%s, minibatch (%d): %s.".formatted(source, number, message));
    }
}
