package io.plora.report;

import io.plora.SweepListener;
import java.io.PrintStream;
import java.util.List;

/** The listeners that come with the library. */
public final class Listeners {

    private Listeners() {}

    /** A progress bar on the error output if there is a terminal, else nothing. */
    public static SweepListener progressBar() {
        return ProgressListener.onTerminal();
    }

    /** Progress as a line of text every ten seconds, for output that is no terminal. */
    public static SweepListener progressLines(PrintStream out) {
        return ProgressListener.lines(out);
    }

    /** A log line for each epoch and trial. */
    public static SweepListener logging() {
        return new LoggingListener();
    }

    /** {@link #progressBar} and {@link #logging}. */
    public static List<SweepListener> basic() {
        return List.of(progressBar(), logging());
    }
}
