package io.plora.report;

import io.plora.EpochEvent;
import io.plora.Metric;
import io.plora.StepEvent;
import io.plora.SweepListener;
import io.plora.SweepResult;
import io.plora.SweepStart;
import java.io.Console;
import java.io.PrintStream;
import java.time.InstantSource;
import java.util.function.Function;

/**
 * Shows tokens done, tokens a second, remaining time and the best trial so far: as a bar on a terminal, as a line of text
 * every ten seconds elsewhere if asked to.
 */
public final class ProgressListener implements SweepListener, AutoCloseable {
    private final Function<SweepStart, ProgressDisplay> displays;
    private ProgressDisplay display = ProgressDisplay.NONE;
    private BestTrial best = new BestTrial(Metric.VALIDATION_LOSS);
    private long done;
    private long expected;
    private double secondsLeft = Double.NaN;

    private ProgressListener(Function<SweepStart, ProgressDisplay> displays) {
        this.displays = displays;
    }

    /** A bar on the error output if there is a terminal, else nothing. */
    public static ProgressListener onTerminal() {
        return isTerminal() ? bar(System.err) : new ProgressListener(start -> ProgressDisplay.NONE);
    }

    /** A bar, whatever the output is. */
    public static ProgressListener bar(PrintStream out) {
        return new ProgressListener(start -> new BarDisplay(out, start.tokens()));
    }

    /** Plain lines, whatever the output is. */
    public static ProgressListener lines(PrintStream out) {
        return lines(out, InstantSource.system());
    }

    static ProgressListener lines(PrintStream out, InstantSource clock) {
        return new ProgressListener(start -> new LineDisplay(out, clock));
    }

    private static boolean isTerminal() {
        Console console = System.console();
        if (console == null) {
            return false;
        }
        try {
            // since JDK 22 there may be a console without a terminal
            return (boolean) Console.class.getMethod("isTerminal").invoke(console);
        } catch (ReflectiveOperationException e) {
            return true;
        }
    }

    @Override
    public synchronized void sweepStarted(SweepStart start) {
        close();
        best = new BestTrial(start.metric());
        done = 0;
        expected = start.tokens();
        secondsLeft = Double.NaN;
        display = displays.apply(start);
    }

    @Override
    public synchronized void stepCompleted(StepEvent event) {
        done = event.tokensDone();
        expected = event.tokensExpected();
        secondsLeft = event.secondsLeft();
        show();
    }

    @Override
    public synchronized void epochCompleted(EpochEvent event) {
        best.update(event);
        show();
    }

    @Override
    public void sweepEnded(SweepResult result) {
        close();
    }

    @Override
    public void sweepFailed(Throwable cause) {
        close();
    }

    private void show() {
        display.show(done, expected, secondsLeft, best.text());
    }

    /** Ends what is shown; the output stays open. Happens by itself when the sweep ends. */
    @Override
    public synchronized void close() {
        display.close();
        display = ProgressDisplay.NONE;
    }
}
