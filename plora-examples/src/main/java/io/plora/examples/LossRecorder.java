package io.plora.examples;

import io.plora.EpochEvent;
import io.plora.Metric;
import io.plora.StepEvent;
import io.plora.SweepListener;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;

/** Writes the training loss of every batch to a CSV file, tells the best trial so far, and notices one that is good enough. */
final class LossRecorder implements SweepListener, AutoCloseable {
    private final PrintWriter csv;
    private final double goodEnough;
    private final CompletableFuture<String> found = new CompletableFuture<>();
    private double best = Double.POSITIVE_INFINITY;

    /** @param goodEnough validation loss below which a trial completes {@link #found} */
    LossRecorder(Path file, double goodEnough) throws IOException {
        this.csv = new PrintWriter(Files.newBufferedWriter(file));
        this.goodEnough = goodEnough;
        csv.println("group,iteration,trial,loss");
    }

    @Override
    public void stepCompleted(StepEvent event) {
        event.losses()
                .forEach((trial, loss) ->
                        csv.println(event.group() + "," + event.iteration() + "," + trial + "," + loss));
    }

    @Override
    public void epochCompleted(EpochEvent event) {
        if (event.evaluation() == null) {
            return;
        }
        double loss = event.evaluation().value(Metric.VALIDATION_LOSS);
        if (loss < best) {
            best = loss;
            System.out.printf(
                    "Best so far: %s in epoch %d, validation loss %s%n",
                    event.trialId(), event.epoch(), event.evaluation().text(Metric.VALIDATION_LOSS));
        }
        if (loss < goodEnough) {
            found.complete(event.trialId());
        }
    }

    /** Completes with the id of the first trial that is good enough. */
    CompletableFuture<String> found() {
        return found;
    }

    @Override
    public void close() {
        csv.close();
    }
}
