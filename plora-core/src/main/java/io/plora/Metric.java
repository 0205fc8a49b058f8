package io.plora;

import java.util.Comparator;
import java.util.Locale;

/** What a sweep ranks its trials by, and which way is better. */
public enum Metric {
    /** Mean negative log-likelihood of an answer token, in nats. */
    VALIDATION_LOSS("validation loss", false),
    /** The exponential of {@link #VALIDATION_LOSS}. */
    PERPLEXITY("perplexity", false),
    /** Share of correct choices. */
    ACCURACY("accuracy", true),
    /** F1 of class 1 in a task of two classes, the mean over classes (macro-F1) in a task of more. */
    F1("F1", true),
    /** Matthews correlation; with more than two classes, R_K of Gorodkin (2004). */
    MATTHEWS("Matthews correlation", true);

    private final String label;
    private final boolean higherIsBetter;

    Metric(String label, boolean higherIsBetter) {
        this.label = label;
        this.higherIsBetter = higherIsBetter;
    }

    /** In words, such as {@code validation loss}. */
    public String label() {
        return label;
    }

    /** Name of a column in a file, such as {@code validation_loss}. */
    public String column() {
        return name().toLowerCase(Locale.ROOT);
    }

    public boolean higherIsBetter() {
        return higherIsBetter;
    }

    /** Whether {@code a} is strictly better than {@code b}. NaN is worse than any number and not better than NaN. */
    public boolean better(double a, double b) {
        return bestFirst().compare(a, b) < 0;
    }

    /** Order of values from best to worst, NaN last. */
    public Comparator<Double> bestFirst() {
        Comparator<Double> order =
                higherIsBetter ? Comparator.<Double>reverseOrder() : Comparator.<Double>naturalOrder();
        return Comparator.<Double, Boolean>comparing(value -> value.isNaN()).thenComparing(order);
    }
}
