package io.plora.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.plora.kernels.PackedBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** When passes are run, recorded, replayed and forgotten. */
class RecordedPassesTest {
    private final List<String> events = new ArrayList<>();
    private final FakeRecorder recorder = new FakeRecorder();
    private final RecordedPasses passes = new RecordedPasses(recorder);

    private final class FakeRecorder implements Recorder {
        private boolean works = true;
        private boolean closes = true;

        @Override
        public @Nullable Program record(Runnable operations) {
            events.add("record");
            operations.run();
            return !works
                    ? null
                    : new Program() {
                        @Override
                        public void launch() {
                            events.add("launch");
                        }

                        @Override
                        public void close() {
                            events.add("close");
                            if (!closes) {
                                throw new IllegalStateException("not closed");
                            }
                        }
                    };
        }
    }

    private static PackedBatch batch(int token, int... lengths) {
        int[] starts = new int[lengths.length + 1];
        for (int i = 0; i < lengths.length; i++) {
            starts[i + 1] = starts[i] + lengths[i];
        }
        int rows = starts[lengths.length];
        int[] tokens = new int[rows];
        tokens[0] = token;
        return new PackedBatch(new int[] {0, rows}, starts, tokens, new int[rows], new float[rows], null);
    }

    private static RecordedPasses.Key key(Object operands, PackedBatch batch) {
        return new RecordedPasses.Key(operands, BatchShape.of(batch), batch.rows(), batch.hasDropout());
    }

    private void run(Object operands, PackedBatch batch) {
        passes.run(key(operands, batch), batch, () -> events.add("run"));
    }

    private void run(Object operands, int times) {
        for (int i = 0; i < times; i++) {
            run(operands, batch(0, 5));
        }
    }

    @Test
    void aPassIsRunThenRecordedThenReplayed() {
        run("pass", 4);

        assertThat(events).containsExactly("run", "record", "run", "launch", "launch");
    }

    @Test
    void passesOfOtherOperandsShapesTargetsOrDropoutAreOthers() {
        PackedBatch batch = batch(0, 2, 3);
        List<RecordedPasses.Key> keys = List.of(
                key("a", batch),
                key("b", batch),
                key("a", batch(0, 3, 2)),
                new RecordedPasses.Key("a", BatchShape.of(batch), 4, false),
                new RecordedPasses.Key("a", BatchShape.of(batch), batch.rows(), true),
                key(
                        "a",
                        new PackedBatch(
                                new int[] {0, 5},
                                new int[] {0, 2, 5},
                                new int[5],
                                new int[5],
                                new float[5],
                                null,
                                new boolean[] {true})));
        keys.forEach(key -> passes.run(key, batch, () -> events.add("run")));

        assertThat(events).hasSize(6).containsOnly("run");
        assertThat(key("a", batch(7, 2, 3))).isEqualTo(keys.get(0));
    }

    @Test
    void whatHasMovedIsRunAndRecordedAgain() {
        run("pass", 2);
        run("once", 1);
        events.clear();

        passes.drop();
        run("pass", 3);

        assertThat(events).containsExactly("run", "record", "run", "launch", "close");
    }

    @Test
    void whatIsDroppedAgainAndAgainIsClosedThoughNothingIsReplayed() {
        for (int i = 0; i < 20; i++) {
            run(i, 2);
            passes.drop();
        }

        assertThat(events).filteredOn("close"::equals).hasSizeBetween(10, 19);
    }

    @Test
    void aShapeThatGoesTakesItsPassesWithIt() {
        PackedBatch other = batch(0, 3, 3);
        for (int i = 0; i < 2; i++) {
            run("forward", batch(0, 5));
            run("backward", batch(0, 5));
            run("forward", other);
        }
        events.clear();

        passes.drop(BatchShape.of(batch(1, 5)));
        run("forward", other);
        run("backward", batch(0, 5));

        assertThat(events).containsExactly("launch", "close", "close", "run");
    }

    @Test
    void thePassThatWasUsedLeastRecentlyGoesFirst() {
        run("first", 2);
        run("second", 2);
        run("first", 1);
        for (int i = 0; i < RecordedPasses.KEPT - 1; i++) {
            run(i, 1);
        }
        events.clear();

        run("first", 1);
        run("second", 1);

        assertThat(events).containsExactly("launch", "close", "run");
    }

    @Test
    void aFailedRecordingEndsRecordingForGood() {
        run("earlier", 2);
        events.clear();
        recorder.works = false;
        run("pass", 2);
        recorder.works = true;
        run("pass", 2);
        run("earlier", 1);

        assertThat(events).containsExactly("run", "record", "run", "close", "run", "run", "run");
    }

    @Test
    void recordingCanBeTurnedOffAndOn() {
        run("pass", 2);
        events.clear();
        passes.turn(false);
        run("pass", 3);
        passes.turn(true);
        run("pass", 2);

        assertThat(events).containsExactly("close", "run", "run", "run", "run", "record", "run");
    }

    @Test
    void checksOfARecordedPassAreMadeOnEachBatchThatItIsReplayedOn() {
        PackedBatch good = batch(1, 5);
        PackedBatch bad = batch(99, 5);
        for (int i = 0; i < 3; i++) {
            runChecked(good);
        }
        events.clear();

        assertThatIllegalArgumentException().isThrownBy(() -> runChecked(bad)).withMessage("token 99");
        assertThat(events).isEmpty();
        runChecked(good);
        assertThat(events).containsExactly("launch");
    }

    @Test
    void checksOfARecordingThatFailedAreNotMadeTwice() {
        AtomicInteger checks = new AtomicInteger();
        AtomicInteger runs = new AtomicInteger();
        PackedBatch batch = batch(0, 5);
        Runnable failsOnce = () -> {
            passes.check(batch, of -> checks.incrementAndGet());
            if (runs.incrementAndGet() == 2) {
                throw new IllegalArgumentException("second run");
            }
        };
        passes.run(key("pass", batch), batch, failsOnce);
        assertThatIllegalArgumentException().isThrownBy(() -> passes.run(key("pass", batch), batch, failsOnce));
        passes.run(key("pass", batch), batch, failsOnce);
        checks.set(0);

        passes.run(key("pass", batch), batch, failsOnce);

        assertThat(runs).hasValue(3);
        assertThat(checks).hasValue(1);
    }

    @Test
    void aRecordThatCannotBeClosedIsNotClosedAgain() {
        run("pass", 2);
        recorder.closes = false;

        assertThatIllegalStateException().isThrownBy(passes::close);

        assertThatCode(passes::close).doesNotThrowAnyException();
    }

    @Test
    void whatIsClosedKeepsNoRecord() {
        run("pass", 2);
        passes.drop();
        run("pass", 2);
        events.clear();

        passes.close();
        passes.close();

        assertThat(events).containsExactly("close", "close");
    }

    private void runChecked(PackedBatch batch) {
        passes.run(
                key("pass", batch),
                batch,
                () -> passes.check(batch, of -> {
                    if (of.token(0) > 9) {
                        throw new IllegalArgumentException("token " + of.token(0));
                    }
                }));
    }
}
