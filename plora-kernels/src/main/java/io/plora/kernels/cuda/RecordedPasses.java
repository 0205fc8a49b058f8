package io.plora.kernels.cuda;

import io.plora.kernels.PackedBatch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Passes that come again with the same operands and the same shape of batch. The first is made operation by operation, which
 * uploads what it needs; the second is recorded; from then on the record is replayed, as long as nothing that it uses moves.
 */
final class RecordedPasses {
    /** Passes kept, the least recently used going first. */
    static final int KEPT = 64;

    private static final Logger LOGGER = LoggerFactory.getLogger(RecordedPasses.class);

    private final Recorder recorder;
    private final Map<Key, Pass> passes = new LinkedHashMap<>(KEPT, 0.75f, true);
    private @Nullable Pass recording;
    private boolean off;
    private int replayed;

    RecordedPasses(Recorder recorder) {
        this.recorder = recorder;
    }

    /**
     * What a record depends on.
     *
     * @param operands equal where operations take the same tensors and tables
     * @param targets number of rows that have one
     */
    record Key(Object operands, BatchShape shape, int targets, boolean dropout) {}

    private static final class Pass {
        private final List<Consumer<PackedBatch>> checks = new ArrayList<>();
        private Recorder.@Nullable Program program;
    }

    /** Passes that were replayed rather than made operation by operation. */
    int replayed() {
        return replayed;
    }

    /** From now on nothing is recorded or replayed, or it is again. */
    void turn(boolean on) {
        off = !on;
        drop();
    }

    /** Runs the operations, or what was recorded of them. */
    void run(Key key, PackedBatch batch, Runnable operations) {
        Pass pass = passes.get(key);
        if (off) {
            operations.run();
        } else if (pass == null) {
            operations.run();
            passes.put(key, new Pass());
            while (passes.size() > KEPT) {
                Key eldest = passes.keySet().iterator().next();
                drop(eldest::equals);
            }
        } else if (pass.program == null) {
            record(pass, operations);
        } else {
            pass.checks.forEach(check -> check.accept(batch));
            replay(pass.program);
        }
    }

    private void record(Pass pass, Runnable operations) {
        recording = pass;
        try {
            pass.program = recorder.record(operations);
        } catch (IllegalStateException e) {
            LOGGER.warn("Passes are not recorded from now on, which makes small ones slower: {}", e.getMessage());
            turn(false);
            operations.run();
            return;
        } finally {
            recording = null;
        }
        replay(pass.program);
    }

    private void replay(Recorder.Program program) {
        program.launch();
        replayed++;
    }

    /** Makes a check, and makes it again on the batch of each replay if the pass is being recorded. */
    void check(PackedBatch batch, Consumer<PackedBatch> check) {
        check.accept(batch);
        if (recording != null) {
            recording.checks.add(check);
        }
    }

    /** Forgets all passes, as something that they use has moved. */
    void drop() {
        drop(key -> true);
    }

    /** Forgets passes with batches of a shape. */
    void drop(BatchShape shape) {
        drop(key -> key.shape().equals(shape));
    }

    private void drop(Predicate<Key> which) {
        passes.entrySet().removeIf(entry -> {
            boolean dropped = which.test(entry.getKey());
            Recorder.Program program = entry.getValue().program;
            if (dropped && program != null) {
                program.close();
            }
            return dropped;
        });
    }
}
