package io.plora;

import java.util.Arrays;

/** How often each class, by row, was taken for each class, by column. A ratio 0 / 0 counts as 0, as scikit-learn has it. */
final class ConfusionMatrix {
    private final long[][] counts;

    private ConfusionMatrix(long[][] counts) {
        this.counts = counts;
    }

    static ConfusionMatrix of(int[] predictions, int[] labels, int classes) {
        if (classes < 2) {
            throw new IllegalArgumentException(
                    "A choice task has (%d) classes but needs at least 2.".formatted(classes));
        }
        if (labels.length == 0 || labels.length != predictions.length) {
            throw new IllegalArgumentException(
                    "Predictions of (%d) questions with labels of (%d): there must be at least one, and as many of both."
                            .formatted(predictions.length, labels.length));
        }
        long[][] counts = new long[classes][classes];
        for (int i = 0; i < labels.length; i++) {
            check("label", labels[i], i, classes);
            check("prediction", predictions[i], i, classes);
            counts[labels[i]][predictions[i]]++;
        }
        return new ConfusionMatrix(counts);
    }

    private static void check(String name, int value, int question, int classes) {
        if (value < 0 || value >= classes) {
            throw new IllegalArgumentException("The %s (%d) of question (%d) is not a class from 0 to %d."
                    .formatted(name, value, question, classes - 1));
        }
    }

    long[][] counts() {
        return counts;
    }

    long items() {
        return Arrays.stream(counts).flatMapToLong(Arrays::stream).sum();
    }

    /** This matrix less one question. */
    ConfusionMatrix without(int label, int prediction) {
        long[][] fewer = Arrays.stream(counts).map(long[]::clone).toArray(long[][]::new);
        fewer[label][prediction]--;
        return new ConfusionMatrix(fewer);
    }

    double accuracy() {
        return (double) correct() / items();
    }

    /** Of class 1 if there are two classes, else the mean over the classes that occur. */
    double f1() {
        if (counts.length == 2) {
            return f1(1);
        }
        double sum = 0;
        int occurring = 0;
        for (int k = 0; k < counts.length; k++) {
            if (labelled(k) + predicted(k) > 0) {
                sum += f1(k);
                occurring++;
            }
        }
        return ratio(sum, occurring);
    }

    /** 2 TP / (2 TP + FP + FN). */
    private double f1(int k) {
        return ratio(2.0 * counts[k][k], labelled(k) + predicted(k));
    }

    /** Gorodkin (2004), equation 8, over counts; with two classes the usual Matthews correlation. */
    double matthews() {
        double items = items();
        double products = 0;
        double labelledSquares = 0;
        double predictedSquares = 0;
        for (int k = 0; k < counts.length; k++) {
            products += (double) labelled(k) * predicted(k);
            labelledSquares += (double) labelled(k) * labelled(k);
            predictedSquares += (double) predicted(k) * predicted(k);
        }
        return ratio(
                correct() * items - products,
                Math.sqrt(items * items - predictedSquares) * Math.sqrt(items * items - labelledSquares));
    }

    private long correct() {
        long sum = 0;
        for (int k = 0; k < counts.length; k++) {
            sum += counts[k][k];
        }
        return sum;
    }

    private long labelled(int k) {
        return Arrays.stream(counts[k]).sum();
    }

    private long predicted(int k) {
        return Arrays.stream(counts).mapToLong(row -> row[k]).sum();
    }

    private static double ratio(double numerator, double denominator) {
        return denominator == 0 ? 0 : numerator / denominator;
    }
}
