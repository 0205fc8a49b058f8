package io.plora.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.EpochEvent;
import io.plora.Evaluation;
import io.plora.Metric;
import io.plora.StepEvent;
import io.plora.SweepResult;
import io.plora.SweepStart;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ProgressListenerTest {
    private static final SweepStart START =
            new SweepStart(List.of(), "CPU", 1000, 100, Metric.ACCURACY, Path.of("sweep"));

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    private final Clock clock = new Clock();
    private final ProgressListener lines = ProgressListener.lines(out, clock);

    @Test
    void printsALineEveryTenSeconds() {
        lines.sweepStarted(START);
        for (int second = 1; second <= 25; second++) {
            clock.now = Instant.ofEpochSecond(second);
            lines.stepCompleted(step(10L * second, 1000));
        }

        assertThat(text().lines())
                .containsExactly(
                        "sweep 10%, 100/1000 tokens, 10 tokens/s, 90 s left",
                        "sweep 20%, 200/1000 tokens, 10 tokens/s, 80 s left");
    }

    @Test
    void timeLeftIsThePlannedOneWhereThereIsOne() {
        lines.sweepStarted(START);
        clock.now = Instant.ofEpochSecond(10);
        lines.stepCompleted(new StepEvent(0, 0, 10, 1, Map.of(), 100, 1000, 123.4));

        assertThat(text().lines()).containsExactly("sweep 10%, 100/1000 tokens, 10 tokens/s, 123 s left");
    }

    @Test
    void showsTheBestTrialSoFar() {
        lines.sweepStarted(START);
        lines.epochCompleted(accuracy("a", 0.5));
        lines.epochCompleted(accuracy("b", 0.75));
        lines.epochCompleted(accuracy("c", Double.NaN));
        lines.epochCompleted(accuracy("d", 0.25));
        lines.epochCompleted(new EpochEvent("e", 1, null));
        clock.now = Instant.ofEpochSecond(10);
        lines.stepCompleted(step(500, 800));

        assertThat(text().lines())
                .containsExactly("sweep 62%, 500/800 tokens, 50 tokens/s, 6 s left, best 0.7500 b (accuracy)");
    }

    @Test
    void printsTheLastStateWhenTheSweepEnds() {
        lines.sweepStarted(START);
        clock.now = Instant.ofEpochSecond(2);
        lines.stepCompleted(step(1000, 1000));
        assertThat(text()).isEmpty();
        lines.sweepEnded(new SweepResult(List.of(), Metric.ACCURACY, Path.of("sweep"), 2));

        assertThat(text().lines()).containsExactly("sweep 100%, 1000/1000 tokens, 500 tokens/s, 0 s left");
    }

    @Test
    void closesWhenTheSweepFails() {
        lines.sweepStarted(START);
        lines.stepCompleted(step(10, 1000));
        lines.sweepFailed(new IllegalStateException("disk full"));
        lines.stepCompleted(step(20, 1000));
        lines.close();

        assertThat(text().lines()).containsExactly("sweep 1%, 10/1000 tokens, 0 tokens/s, ? s left");
    }

    @Test
    void drawsABar() {
        ProgressListener bar = ProgressListener.bar(out);
        bar.sweepStarted(START);
        bar.epochCompleted(accuracy("b", 0.75));
        bar.stepCompleted(step(500, 800));
        bar.sweepFailed(new IllegalStateException("disk full"));

        assertThat(text())
                .contains("sweep")
                .contains("500/800 tokens")
                .contains("62%")
                .contains("best 0.7500")
                .endsWith(System.lineSeparator());
    }

    @Test
    void aBarOfManyTokensCountsThousands() {
        ProgressListener bar = ProgressListener.bar(out);
        bar.sweepStarted(new SweepStart(List.of(), "CPU", 8_000_000, 100, Metric.ACCURACY, Path.of("sweep")));
        bar.stepCompleted(step(5_000_000, 8_000_000));
        bar.close();

        assertThat(text()).contains("5000/8000k tokens");
    }

    @Test
    void aBarThatWasClosedDrawsNoMoreAndLeavesTheOutputOpen() {
        ProgressListener bar = ProgressListener.bar(out);
        bar.sweepStarted(START);
        bar.close();
        bar.close();
        int length = text().length();
        bar.stepCompleted(step(500, 1000));
        assertThat(text()).hasSize(length);

        out.print("more");
        assertThat(text()).endsWith("more");
    }

    @Test
    void closingABarKeepsAnInterrupt() {
        ProgressListener bar = ProgressListener.bar(out);
        bar.sweepStarted(START);
        Thread.currentThread().interrupt();
        bar.close();

        assertThat(Thread.interrupted()).isTrue();
        assertThat(text()).endsWith(System.lineSeparator());
    }

    @Test
    void isQuietWithoutATerminal() {
        // the standard input of a forked test JVM is a pipe
        PrintStream before = System.err;
        System.setErr(out);
        try {
            ProgressListener quiet = ProgressListener.onTerminal();
            quiet.sweepStarted(START);
            quiet.stepCompleted(step(500, 1000));
            quiet.close();
        } finally {
            System.setErr(before);
        }

        assertThat(text()).isEmpty();
    }

    private String text() {
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private static StepEvent step(long done, long expected) {
        return new StepEvent(0, 0, 10, 1, Map.of(), done, expected, Double.NaN);
    }

    private static EpochEvent accuracy(String trialId, double value) {
        return new EpochEvent(trialId, 1, new Evaluation(1, 10, 4, Map.of(Metric.ACCURACY, value), Map.of()));
    }

    private static final class Clock implements InstantSource {
        private Instant now = Instant.EPOCH;

        @Override
        public Instant instant() {
            return now;
        }
    }
}
