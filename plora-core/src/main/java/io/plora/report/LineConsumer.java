package io.plora.report;

import java.io.PrintStream;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarConsumer;

/** Draws a bar until closed. The bar's timer may draw while the bar is being closed, which must not reopen the line. */
final class LineConsumer implements ProgressBarConsumer {
    private final ProgressBarConsumer console;
    private boolean closed;

    LineConsumer(PrintStream out) {
        console = new ConsoleProgressBarConsumer(out);
    }

    @Override
    public int getMaxRenderedLength() {
        return console.getMaxRenderedLength();
    }

    @Override
    public synchronized void accept(String rendered) {
        if (!closed) {
            console.accept(rendered);
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            console.close();
        }
    }
}
